"""The embedded engine: tantivy, its files beside the database's."""
