"""Index folders: vectors, observations, and the search over both."""
