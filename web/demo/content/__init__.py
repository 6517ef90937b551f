"""What the demonstration shows: invented, deterministic, without IO. `generate` writes all of it."""
