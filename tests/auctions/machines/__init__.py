"""State machines of the auction formats, each beside a model written from docs/auction-formats.md."""
