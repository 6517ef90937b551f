"""From a row of the market to a ranked list with reasons: text, documents, index, scoring, recommendation.

Knows the market and nothing of the web or the auctions. No sentence is made here: a reason is a code
with parameters, and whoever shows it finds the words.
"""
