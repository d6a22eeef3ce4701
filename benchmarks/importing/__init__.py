"""The import of as-built records, beside the raw load of the same rows."""
