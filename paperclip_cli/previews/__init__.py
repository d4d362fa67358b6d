"""Fetched previews: their records, their collection in the cache, and the log of the fetch."""
