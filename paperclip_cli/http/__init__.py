"""Requests that are paced, tried again and bounded; and reasons for failures in words."""
