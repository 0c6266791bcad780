"""CSV to arrays."""
