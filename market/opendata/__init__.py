"""The register as open data, in the Open Contracting Data Standard."""
