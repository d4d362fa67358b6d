"""The image and text towers: CLIP in JAX, its files, and a text tower in NumPy."""
