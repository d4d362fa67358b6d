"""Summaries by language models that are held to a schema while they write."""
