"""Where proposals and observations come from: a folder on disk, or MAST."""
