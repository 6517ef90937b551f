"""A Meilisearch server as the engine."""
