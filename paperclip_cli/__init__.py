"""paperclip: search telescope archives in plain language (PAPERCLIP, arXiv 2403.08851)."""

__version__ = "0.1.0"
