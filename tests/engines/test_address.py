"""Addresses of indexes in engines, which never show a password."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paperclip_cli.engines.address import parse_address
from paperclip_cli.engines.index import open_engine
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.install import extra_line


@pytest.mark.parametrize(
    ("text", "shown", "server"),
    [
        (
            "postgresql://host/db?table=hst",
            "postgresql://host/db?table=hst",
            "postgresql://host/db",
        ),
        ("postgres://host/db", "postgresql://host/db?table=paperclip", "postgresql://host/db"),
        (
            "postgresql://me:se%40cret@host:5433/db?sslmode=require&table=a.hst",
            "postgresql://me@host:5433/db?sslmode=require&table=a.hst",
            "postgresql://me:se%40cret@host:5433/db?sslmode=require",
        ),
        (
            "postgresql:///db?host=/tmp/x&password=secret",
            "postgresql:///db?host=/tmp/x&table=paperclip",
            "postgresql:///db?host=/tmp/x&password=secret",
        ),
        (
            "milvus://host:19530/db?collection=hst",
            "milvus://host:19530/db?collection=hst",
            "milvus://host:19530/db",
        ),
        ("milvus:///a/b.db", "milvus:///a/b.db?collection=paperclip", "milvus:///a/b.db"),
        ("milvus:////a/b.db", "milvus:////a/b.db?collection=paperclip", "milvus:////a/b.db"),
    ],
)
def test_addresses(text: str, shown: str, server: str) -> None:
    address = parse_address(text)
    assert (str(address), address.server) == (shown, server)
    assert parse_address(shown) == parse_address(str(parse_address(shown)))
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "mysql://host/db",
        "milvus://",
        "milvus:///",
        "postgresql://host:port/db",
        "postgresql://host/db?table=a;b",
        "postgresql://host/db?table=a.b.c",
        "postgresql://host/db?table=",
        "milvus:///a.db?collection=a-b",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_errors_lose_their_secrets() -> None:
    address = parse_address("postgresql://me:p%20w@host/db?sslpassword=other")
    assert address.hidden("no: p%20w, p w or other") == "no: ***, *** or ***"


@pytest.mark.parametrize(
    ("address", "extra"), [("postgresql://host/db", "postgres"), ("milvus:///a.db", "milvus")]
)
def test_what_is_missing_is_named_with_what_installs_it(
    address: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PaperclipError, match="is not installed") as error:
        open_engine(parse_address(address))
    monkeypatch.undo()
    assert error.value.hint == extra_line(extra)


def test_a_folder_loads_nothing_of_engines() -> None:
    code = "import paperclip_cli.stages.query, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.startswith("paperclip_cli.engines.")}
    assert ours == {"paperclip_cli.engines.opening"}
    assert not loaded & {"psycopg", "pgvector", "pymilvus"}
