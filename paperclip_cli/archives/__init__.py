"""Sources of proposals and observations: a folder on disk, or MAST."""
