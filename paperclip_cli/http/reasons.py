"""Reasons for failed connections, in a few words."""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """The reason for an error in a few words.

    They hold no addresses of objects and no whole URLs, so that equal failures are counted as one.
    """
    text = f"{type(error).__name__} {error}"
    known = {
        "ReadTimeout": "no answer in time",
        "Read timed out": "no answer in time",
        "ConnectTimeout": "no connection in time",
        "timed out": "no connection in time",
        "IncompleteRead": "the reply was cut short",
        "reset by peer": "connection reset",
        "without response": "connection closed",
        "BrokenPipe": "connection closed",
        "refused": "connection refused",
        "resolve": "the host's name cannot be resolved",
        "Redirects": "too many redirects",
    }
    return next((words for mark, words in known.items() if mark in text), type(error).__name__)
