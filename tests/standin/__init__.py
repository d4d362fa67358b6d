"""A stand-in of MAST: a real HTTP server in a process of its own on loopback, which answers and fails as MAST does."""
