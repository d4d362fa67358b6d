"""CLIP in JAX, its files, its training step, and the NumPy text tower that answers a query without JAX."""
