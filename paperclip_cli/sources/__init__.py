"""The outside world behind small interfaces: catalogues, archives, summarizers."""
