"""Image-text pairs: captions, splits, leakage between splits, batches."""
