"""The JSON API, version 1, by feature. Mounted under `/api/v1`."""
