"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from paperclip_cli.workspace import Workspace

if TYPE_CHECKING:
    from tests.standin.hub import HubStandIn
    from tests.standin.process import StandInProcess

# A first example may import astropy or compile. Nothing is timed in tests.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Small models compile twice as fast without LLVM's optimisations, and compiling takes nearly all
# the time of their tests.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

# Trainings of the same shapes share what one of them has compiled, in whichever process.
_COMPILED = tempfile.TemporaryDirectory(prefix="paperclip-compiled-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", _COMPILED.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

# The package states its types and shapes explicitly, and so must the processes that tests start.
os.environ |= {"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"}

# Nobody's own defaults count in tests.
os.environ["PAPERCLIP_CONFIG"] = os.devnull

# A script's background job starts with Ctrl-C ignored, and its children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """Real images and texts, kept beside the repository. Without them their tests are skipped."""
    folder = REPOSITORY.parent / "shared" / "real-sample"
    if not folder.is_dir():
        pytest.skip("no real sample beside the repository")
    return folder


@pytest.fixture(scope="session")
def field_cases() -> Path:
    """Small inputs that went wrong, kept beside the repository. Without them tests are skipped."""
    folder = REPOSITORY.parent / "shared" / "field-cases"
    if not folder.is_dir():
        pytest.skip("no field cases beside the repository")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty cache without network access."""
    return Workspace(tmp_path / "cache", offline=True)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained `scratch:tiny`, made once. Nothing writes into it."""
    from tests.clip_models import write_model

    return write_model(tmp_path_factory.mktemp("model") / "tiny").path


@pytest.fixture(scope="session")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The GGUF file of a real language model. It is large and is removed when the tests end."""
    from tests.language_models import llama_cpp_is_broken, write_gguf

    path = write_gguf(tmp_path_factory.mktemp("gguf") / "gemma.gguf")
    reason = llama_cpp_is_broken(path)
    assert not reason, reason
    yield path
    path.unlink()


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    """A stand-in of the Hub, which the client in this process takes for it, logged in as `org`."""
    from tests.standin.hub import WRITER, hub_standin, the_hub

    with hub_standin() as server, the_hub(server, WRITER):
        yield server


@pytest.fixture(scope="session")
def mast_process() -> Iterator[StandInProcess]:
    """A stand-in of MAST in a process of its own; take `mast` instead."""
    from tests.standin.process import standin

    with standin() as process:
        yield process


@pytest.fixture
def mast(mast_process: StandInProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInProcess]:
    """The stand-in without faults, and astroquery configured for it.

    It has 12 Hubble proposals from 15000 and 4 JWST proposals from 1200.
    """
    from astroquery.mast import conf

    variables = "MAST_API_TOKEN PAPERCLIP_CONTACT http_proxy https_proxy HTTP_PROXY HTTPS_PROXY"
    for variable in variables.split():
        monkeypatch.delenv(variable, raising=False)
    mast_process.set()
    with conf.set_temp("server", mast_process.url):
        yield mast_process
