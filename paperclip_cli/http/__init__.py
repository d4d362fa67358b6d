"""Requests that are paced, retried and bounded, and reasons for failures in words."""
