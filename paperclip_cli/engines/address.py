"""Addresses of indexes in engines: `postgresql://host/db?table=NAME`, `milvus:///file.db`.

A password in an address is used to connect and never shown, written or logged.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from paperclip_cli.errors import UsageError
from paperclip_cli.files import replace_file
from paperclip_cli.workspace import Workspace

DEFAULT = "paperclip"  # the table or collection of an address that names none
_SCHEMES = {"postgresql": "postgresql", "postgres": "postgresql", "milvus": "milvus"}
# The parameter of each kind of address that names the index.
_PARAMETER = {"postgresql": "table", "milvus": "collection"}
_NAME = {
    "postgresql": r"([A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,45}",
    "milvus": r"[A-Za-z_][A-Za-z0-9_]{0,200}",
}
_SECRETS = ("password", "passfile", "sslpassword", "token")
_HIDDEN = "***"
_FILE = "address.json"


@dataclass(frozen=True)
class Address:
    """The place of an index in an engine.

    `kind` is `postgresql` or `milvus`, `table` the table or collection, `server` the address
    without it, as the engine's own client reads it: it may hold a password.
    """

    kind: str
    table: str
    server: str

    def __str__(self) -> str:
        """The address without secrets, which is also the name of the index."""
        return _with(_shown(self.server), _PARAMETER[self.kind], self.table)

    def __repr__(self) -> str:
        return f"Address({self})"

    def hidden(self, text: str) -> str:
        """A text, such as an engine's error, without the secrets of this address."""
        for secret in sorted(_secrets(self.server), key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def folder(self, workspace: Workspace) -> Path:
        """The folder of the cache for what is kept here of this index: a lock and a journal."""
        digest = hashlib.sha256(str(self).encode()).hexdigest()[:32]
        return workspace.root / "engines" / digest


def remember(address: Address, workspace: Workspace) -> None:
    """Notes in the folder of an index where that is, for `cache ls`."""
    text = json.dumps({"address": str(address)}) + "\n"
    replace_file(address.folder(workspace) / _FILE, text)


def address_in(folder: Path) -> str:
    """The address that was noted in a folder."""
    try:
        return str(json.loads((folder / _FILE).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return "in an engine"


def parse_address(text: str) -> Address:
    """The address in a text.

    Raises:
        UsageError: it is none, or names no possible table.
    """
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        _ = parts.port
    except ValueError as error:
        raise UsageError("the address of the index cannot be read", _HINT) from error
    kind = _SCHEMES.get(parts.scheme.lower())
    if kind is None:
        raise UsageError("the address of the index is of no known engine", _HINT)

    parameter = _PARAMETER[kind]
    table = dict(pairs).get(parameter, DEFAULT)
    if not re.fullmatch(_NAME[kind], table):
        raise UsageError(
            f"{table!r} cannot be the name of a {parameter}", "use letters, digits and '_'"
        )
    rest = [(name, value) for name, value in pairs if name != parameter]
    if kind == "milvus" and not parts.netloc and not parts.path.strip("/"):
        raise UsageError("the address names no file of Milvus Lite", _HINT)
    return Address(kind, table, _server(kind, parts.netloc, parts.path, rest))


_HINT = (
    "give postgresql://host/database?table=NAME, milvus://host:19530/database?collection=NAME or "
    "milvus:///file.db?collection=NAME"
)


def _with(server: str, parameter: str, value: str) -> str:
    return f"{server}{'&' if urlsplit(server).query else '?'}{parameter}={quote(value)}"


def _server(scheme: str, netloc: str, path: str, pairs: list[tuple[str, str]]) -> str:
    # Not by `urlunsplit`, which takes slashes away where there is no host.
    query = urlencode(pairs, safe="/:", quote_via=quote)
    return f"{scheme}://{netloc}{path}" + (f"?{query}" if query else "")


def _shown(server: str) -> str:
    """A server's address without secrets. `scheme:///path` keeps its slashes."""
    parts = urlsplit(server)
    user, at, host = parts.netloc.rpartition("@")
    netloc = user.partition(":")[0] + at + host
    pairs = [pair for pair in parse_qsl(parts.query) if pair[0].lower() not in _SECRETS]
    return _server(parts.scheme, netloc, parts.path, pairs)


def _secrets(server: str) -> set[str]:
    """The secrets of an address, as they are and as they are written in it."""
    parts = urlsplit(server)
    found = {parts.netloc.rpartition("@")[0].partition(":")[2]}
    found |= {value for name, value in parse_qsl(parts.query) if name.lower() in _SECRETS}
    return {form for secret in found if secret for form in (secret, unquote(secret), quote(secret))}
