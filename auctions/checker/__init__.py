"""The rules a second time, for the public checker `auctions.verify`.

Written from docs/auction-formats.md, not from the engine, with which it shares no code: one mistake cannot
hide in both. Only the standard library is needed.
"""
