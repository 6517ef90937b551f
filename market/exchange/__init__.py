"""Import and export of results, demands and organisations."""
