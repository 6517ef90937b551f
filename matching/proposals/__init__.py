"""The brokers' queue of suggested pairs (撮合建议): what is suggested, decided, and what comes of it."""
