"""Retrieval accuracy with its intervals, controls, and the data of the figures."""
