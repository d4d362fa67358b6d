"""The way to ask a server for an answer in a form, and what of it a refusal changes.

Servers that speak OpenAI's language differ in what they take. What one refuses is varied one thing
at a time, by what its error names:

    max_tokens        OpenAI's models that reason, and Azure's, want max_completion_tokens
    temperature       the same models take their default only
    seed              Mistral's servers call it random_seed, Gemini's and Anthropic's have none
    minLength, ...    OpenAI's, Anthropic's and Gemini's structured output lack some of JSON Schema
    json_schema       llama-cpp-python's server wants json_object with a schema, others (DeepSeek's)
                      json_object alone
    stream            DashScope's models that reason answer by an event stream only
    the word 'json'   OpenAI's and DeepSeek's servers want it in a prompt for json_object
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from paperclip_cli.summaries.llm.base import Sampling, Sent, Shape

_SCHEMA, _WITH_SCHEMA, _BARE = FORMS = "json_schema", "json_object with a schema", "json_object"
_LIMIT, _NEW_LIMIT = LIMITS = "max_tokens", "max_completion_tokens"
_NO_LIMIT = ""
_STRUCTURE = frozenset({"type", "properties", "required", "items"})  # without them it is no form
_DEMANDS = re.compile(r"^stream$|\b(?:only|must|needs?|requires?|enable|set)\b", re.IGNORECASE)
_WORD = re.compile(r"\bword\W+json\b", re.IGNORECASE)
_FORM = re.compile(
    r"response[_ -]?(?:format|schema)|json[_ -]?(?:schema|object)|structured[_ -]?output"
    r"|\bguided|\bgrammar",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What a request says.

    `form` is one of `FORMS`, `limit` one of `LIMITS` or blank. `without` holds the fields and the
    keywords of the schema that are left out. `streams` asks for an event stream, `says_json` in
    words for JSON.
    """

    form: str = _SCHEMA
    limit: str = _LIMIT
    without: tuple[str, ...] = ()
    streams: bool = False
    says_json: bool = False

    def told(self, prompt: str) -> str:
        """The prompt as it is sent."""
        return f"{prompt}\n\nAnswer in JSON." if self.says_json else prompt

    def request(self, shape: Shape, sampling: Sampling, most_tokens: int) -> dict:
        """The fields of a request, besides model and messages."""
        drawn = {"temperature": sampling.temperature, "seed": sampling.seed}
        said: dict = {name: value for name, value in drawn.items() if name not in self.without}
        said |= {self.limit: most_tokens} if self.limit else {}
        said |= {"response_format": self._format(shape)}
        return said | ({"stream": True} if self.streams else {})

    def _format(self, shape: Shape) -> dict:
        schema = _pruned(shape.schema, self.without)
        if self.form == _SCHEMA:
            strict = {} if "strict" in self.without else {"strict": True}
            form = {"name": shape.name, **strict, "schema": schema}
            return {"type": "json_schema", "json_schema": form}
        return {"type": "json_object"} | ({"schema": schema} if self.form == _WITH_SCHEMA else {})

    def sent(self, sampling: Sampling, most_tokens: int) -> Sent:
        """What a record says about such a request."""
        return Sent(
            None if "temperature" in self.without else sampling.temperature,
            None if "seed" in self.without else sampling.seed,
            most_tokens if self.limit else None,
            self.varied,
        )

    @property
    def varied(self) -> tuple[str, ...]:
        """The differences from the first dialect, in words."""
        usual = Dialect()
        return (
            *([self.form] if self.form != usual.form else []),
            *([self.limit or "no max_tokens"] if self.limit != usual.limit else []),
            *(f"no {name}" for name in self.without),
            *(["stream"] if self.streams else []),
            *(["the word JSON"] if self.says_json else []),
        )

    def beside(self, names: Sequence[str], shape: Shape) -> Dialect | None:
        """The dialect to try after an error that names `names`, or None if it names nothing of it.

        The texts are searched in their order: the first that names a part of the request counts.
        """
        for text in names:
            found = self._varied_by(text, shape)
            if found is not None:
                return found
        return None

    def _varied_by(self, text: str, shape: Shape) -> Dialect | None:
        if not self.says_json and _WORD.search(text):
            return replace(self, says_json=True)
        # An error about the schema names response_format too, so that its keywords come first.
        keywords = [] if self.form == _BARE else _keywords(_pruned(shape.schema, self.without))
        keywords += ["strict"] if self.form == _SCHEMA and "strict" not in self.without else []
        for keyword in keywords:
            if text == keyword or _names(text, keyword, is_quoted=keyword.islower()):
                return self._less(keyword)

        fields = [name for name in ("temperature", "seed") if name not in self.without]
        if not self.streams and _DEMANDS.search(text):
            fields.append("stream")
        places = {name: at for name in fields if (at := _place(text, name)) is not None}
        if self.limit and (at := _place(text, "|".join(LIMITS))) is not None:
            places[_LIMIT] = at
        if (found := _FORM.search(text)) is not None and self.form != _BARE:
            places["response_format"] = found.start()
        if not places:
            return None

        first = min(places, key=lambda name: places[name])
        if first == _LIMIT:
            return replace(self, limit=_NEW_LIMIT if self.limit == _LIMIT else _NO_LIMIT)
        if first == "response_format":
            return self.with_next_form()
        return replace(self, streams=True) if first == "stream" else self._less(first)

    def with_next_form(self) -> Dialect | None:
        """The same with the next way to ask for the form, if there is one."""
        following = FORMS[FORMS.index(self.form) + 1 :]
        return replace(self, form=following[0]) if following else None

    def _less(self, name: str) -> Dialect:
        return replace(self, without=(*self.without, name))


def names_form(text: str) -> bool:
    """Whether a text speaks of the form that was asked for."""
    return _FORM.search(text) is not None


def names_limit(text: str) -> bool:
    """Whether a text speaks of the limit of an answer."""
    return _place(text, "|".join(LIMITS)) is not None


def _place(text: str, names: str) -> int | None:
    found = re.search(rf"(?<![\w-])(?:{names})(?![\w-])", text)
    return found.start() if found else None


def _names(text: str, keyword: str, is_quoted: bool) -> bool:
    """Whether a text names a keyword; one that is a plain word must stand in quotation marks."""
    spelled = rf"{keyword}|{re.sub('([A-Z])', lambda found: '_' + found[1].lower(), keyword)}"
    around = "[\"'`]" if is_quoted else r"\b"
    return re.search(f"{around}(?:{spelled}){around}", text) is not None


def _keywords(schema: object) -> list[str]:
    """The keywords of a JSON Schema that it could do without, those in camel case first."""
    found: set[str] = set()
    if isinstance(schema, dict):
        found.update(name for name in schema if name not in _STRUCTURE)
        inner = [*schema.get("properties", {}).values(), schema.get("items")]
        found.update(name for one in inner for name in _keywords(one))
    return sorted(found, key=lambda name: (name.islower(), name))


def _pruned(schema: dict, without: Sequence[str]) -> dict:
    """A JSON Schema without some keywords, at every depth."""
    kept = {name: value for name, value in schema.items() if name not in without}
    if "properties" in kept:
        kept["properties"] = {
            name: _pruned(one, without) for name, one in kept["properties"].items()
        }
    return kept | ({"items": _pruned(kept["items"], without)} if "items" in kept else {})
