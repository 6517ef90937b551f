"""Live auctions: rules, journal, writer, rooms, timekeeper, receipts and public verification."""
