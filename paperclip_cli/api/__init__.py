"""The Python API: what `paperclip_cli` offers to notebooks and programs."""
