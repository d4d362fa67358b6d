"""The upkeep of the cache: what is in it, who needs it, and how it goes."""
