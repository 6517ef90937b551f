"""The record: who, what is offered and wanted, what was agreed, what it adds up to, who paid.

Knows no web, no search engine and no live room.
"""
