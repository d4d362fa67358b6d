"""Summaries by a language model that is held to a schema while it writes."""
