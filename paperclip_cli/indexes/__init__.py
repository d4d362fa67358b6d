"""An index folder: vectors, observations, and the search over both."""
