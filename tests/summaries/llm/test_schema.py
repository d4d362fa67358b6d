"""Grammar, regular expression and JSON Schema allow the same form, and the model reads it back."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.summaries.base import MOST_ITEMS
from paperclip_cli.summaries.llm import schema

item = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='",;\\'),
    min_size=1,
    max_size=40,
).filter(lambda text: not text.startswith(" "))
items = st.lists(item, min_size=1, max_size=MOST_ITEMS)


def written(objects: list[str], uses: list[str]) -> str:
    return json.dumps(
        {"objects_and_phenomena": objects, "science_use_cases": uses}, ensure_ascii=False
    )


@given(items, items)
def test_every_summary_fits_the_expression_and_is_read_back(
    objects: list[str], uses: list[str]
) -> None:
    text = written(objects, uses)
    assert text.startswith(schema.separators()[0]) and text.endswith(schema.separators()[-1])
    assert re.fullmatch(schema.regex(), text)
    assert re.fullmatch(schema.regex(longest=40), text)
    form = schema.parse(text)
    assert form is not None
    assert form.objects_and_phenomena == [one.strip() for one in objects]
    assert form.science_use_cases == [one.strip() for one in uses]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "I cannot help with that.",
        "<html></html>",
        written(["a"], []),
        written([], ["a"]),
        written(["a"] * 6, ["b"]),
        written(["a", ""], ["b"]),
        written(["a", " "], ["b"]),
        written(["a"], ["b"])[:-1],
        written(["a"], ["b"]) + "x",
        "[" * 10_000,
        '{"objects_and_phenomena": ["a"], "science_use_cases": ["b"], "poem": "c"}',
        '{"objects_and_phenomena": [1], "science_use_cases": ["b"]}',
    ],
)
def test_what_is_no_summary_is_none(text: str) -> None:
    assert schema.parse(text) is None
    assert not re.fullmatch(schema.regex(), text)


def test_the_expression_leaves_no_free_white_space_and_no_sixth_item() -> None:
    spaced = written(["a"], ["b"]).replace(", ", ",  ")
    too_many = written(["a"] * 6, ["b"]), written(["a"], ["b"] * 6)
    for text in (*too_many, spaced, written(["a\nb"], ["c"])):
        assert not re.fullmatch(schema.regex(), text)


def test_the_json_schema_is_one_that_servers_take_strictly() -> None:
    found = schema.json_schema()
    assert found["additionalProperties"] is False
    assert found["required"] == list(found["properties"]) == list(schema.Form.model_fields)
    for listed in found["properties"].values():
        assert (listed["minItems"], listed["maxItems"]) == (1, MOST_ITEMS)
        assert listed["items"]["type"] == "string"


def test_pydantic_is_loaded_for_language_models_only() -> None:
    code = (
        "import sys\n"
        "from paperclip_cli.cli.app import run\n"
        "import paperclip_cli.stages.query, paperclip_cli.stages.summarize\n"
        "run(['summarize', '--help'])\n"
        "heavy = {'pydantic', 'requests', 'outlines', 'llama_cpp', 'torch'}\n"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
