"""What is printed to be copied into a paper is text, whatever a model from elsewhere says."""

from __future__ import annotations

from paperclip_cli.output.citations import bibtex, plain


def test_a_models_own_words_stay_on_their_line() -> None:
    hostile = "a\x1b[31m\n@misc{x}"
    for text in (plain({}, hostile), bibtex({}, hostile)):
        assert "\x1b" not in text and "\n@misc{x}" not in text and "a [31m @misc{x}" in text
