"""Engines that all tests share, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.engines.servers import MILVUS, POSTGRES, missing, postgres

_TABLES = count()
_ENGINES = {**POSTGRES, "Milvus Lite": MILVUS}


@pytest.fixture(scope="session", params=_ENGINES.values(), ids=_ENGINES.keys())
def engine_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An address to which the name of an index is added."""
    yield from served(request.param, tmp_path_factory)


@pytest.fixture(scope="session", params=POSTGRES.values(), ids=POSTGRES.keys())
def postgres_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    yield from served(request.param, tmp_path_factory)


def served(package: str, folders: pytest.TempPathFactory) -> Iterator[str]:
    reason = missing(package)
    if reason:
        pytest.skip(reason)
    if package == MILVUS:
        yield f"milvus:///{folders.mktemp('milvus')}/a.db?collection="
        return
    with postgres(package) as server:
        yield f"{server.address}&table="


@pytest.fixture(scope="module")
def database(engine_server: str) -> str:
    """The address of an index that is not there yet."""
    return f"{engine_server}index_{next(_TABLES)}"


@pytest.fixture
def fresh_database(engine_server: str) -> str:
    """The same, for one test."""
    return f"{engine_server}index_{next(_TABLES)}"


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """The same, in PostgreSQL."""
    return f"{postgres_server}index_{next(_TABLES)}"
