"""A stand-in for MAST: a real HTTP server on loopback, in a process of its own.

It answers and fails as MAST does.
"""
