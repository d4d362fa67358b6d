"""Summaries from an abstract's own words, without a model."""
