"""Saved searches (订阅搜索): kept by a person, told by mail when something new matches.

What a search means stands in its query, which only the web reads; here it is text that is told apart.
"""
