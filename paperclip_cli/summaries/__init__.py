"""Structured summaries of abstracts, and the backends that write and judge them."""
