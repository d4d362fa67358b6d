"""Install commands fit each environment, and real shells and a real pip accept them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from paperclip_cli import install
from paperclip_cli.install import Checkout, extra_line, library_line, requirements
from paperclip_cli.services import environment

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
EXTRAS = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
SHELLS = [shell for shell in ("bash", "zsh", "dash") if shutil.which(shell)]
NAMED = ["hnswlib>=0.8"]
NEEDS = [
    "numpy>=2.0",
    "tomli; python_version < '3'",
    "hnswlib>=0.8; extra == 'hnsw'",
    'jax[cuda12]<0.12,>=0.10; extra == "cuda"',
    "outlines>=1.3; extra == 'outlines'",
    "torch>=2.5; extra == 'outlines'",
]


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment that no shell has activated, with the program installed from an index."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(install, "find_checkout", lambda: None)
    monkeypatch.setattr(metadata, "requires", lambda _: NEEDS)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "bin" / "python"))
    (tmp_path / "env").mkdir()
    return tmp_path / "env"


def test_a_virtual_environment_that_is_not_activated_is_named(plain: Path) -> None:
    expected = [f"{plain}/bin/python", "-m", "pip", "install", *NAMED]
    assert shlex.split(extra_line("hnsw")) == expected
    assert extra_line("hnsw").endswith("pip install 'hnswlib>=0.8'")
    assert shlex.split(library_line("numpy<3,>=2"))[1:] == ["-m", "pip", "install", "numpy<3,>=2"]


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_in_an_activated_environment_pip_is_enough(
    variable: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(plain))
    assert extra_line("cuda") == "pip install 'jax[cuda12]<0.12,>=0.10'"
    monkeypatch.setenv(variable, str(tmp_path))
    assert extra_line("cuda").startswith(f"{plain}/bin/python -m pip")


def test_pipx_injects_into_the_environment_under_its_name(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = plain.rename(plain.with_name("paperclip-cli-next"))
    monkeypatch.setattr(sys, "prefix", str(named))
    (named / "pipx_metadata.json").touch()
    added = "pipx inject paperclip-cli-next outlines>=1.3 torch>=2.5"
    assert shlex.split(extra_line("outlines")) == added.split()
    installed = "pipx runpip paperclip-cli-next install numpy<1"
    assert shlex.split(library_line("numpy<1")) == installed.split()


def test_where_there_is_no_pip_uv_is_asked(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "find_spec", lambda name: None)
    command = ["uv", "pip", "install", "--python", f"{plain}/bin/python"]
    assert shlex.split(extra_line("hnsw")) == [*command, *NAMED]


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_system_s_python(is_marked: bool, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", sys.prefix)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(plain))
    if is_marked:
        (plain / "EXTERNALLY-MANAGED").touch()
    consent = ["--break-system-packages"] if is_marked else []
    assert shlex.split(extra_line("hnsw"))[1:] == ["-m", "pip", "install", *consent, *NAMED]


class Installed:
    """A distribution that says where it came from."""

    def __init__(self, direct_url: object) -> None:
        self.requires = NEEDS
        self._text = None if direct_url is None else json.dumps(direct_url)

    def read_text(self, name: str) -> str | None:
        return self._text if name == "direct_url.json" else None


def write_checkout(folder: Path) -> Path:
    """Writes a project of our name that builds itself, so that no index is needed."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "backend.py").write_text('''
from pathlib import Path
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    folder = Path(directory, "paperclip_cli-7.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("""Metadata-Version: 2.1
Name: paperclip-cli
Version: 7
Provides-Extra: hnsw
Requires-Dist: hnswlib>=0.8; extra == 'hnsw'
""")
    return folder.name
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def build_wheel(*_):
    raise AssertionError
build_editable = build_wheel
''')
    return folder


@pytest.mark.parametrize("is_editable", [False, True])
def test_what_came_from_a_folder_takes_its_extra(
    is_editable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_checkout(tmp_path / "Hubble's [new] copy")
    editable = {"editable": True} if is_editable else {}
    said = {"url": folder.as_uri(), "dir_info": editable}
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(said))
    assert install.find_checkout() == Checkout(folder, is_editable)
    words = shlex.split(extra_line("hnsw"))
    assert words[-1] == f"{folder}[hnsw]" and ("-e" in words) == is_editable
    shutil.rmtree(folder)
    assert install.find_checkout() is None


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
        {"url": "file:///tmp/paperclip_cli-1-py3-none-any.whl", "archive_info": {}},
    ],
)
def test_what_came_from_elsewhere_takes_what_the_extra_needs(
    said: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: Installed(said))
    assert install.find_checkout() is None
    assert shlex.split(extra_line("outlines"))[-2:] == ["outlines>=1.3", "torch>=2.5"]


def test_a_tree_that_is_not_installed_is_its_own_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "distribution", missing)
    assert install.find_checkout() == Checkout(PROJECT.parent, True)


@pytest.mark.usefixtures("plain")
def test_markers_are_left_out_and_an_extra_that_there_is_not_is_an_error() -> None:
    assert requirements() == ["numpy>=2.0"] and requirements("hnsw") == NAMED
    with pytest.raises(ValueError, match="no extra 'hsnw'"):
        requirements("hsnw")


def test_the_extras_that_are_named_are_those_of_the_project() -> None:
    assert {extra for *_, extra in environment._OPTIONAL} | {"cuda"} == EXTRAS.keys() - {"test"}
    for extra in EXTRAS.keys() - {"test"}:
        found, written = map(Requirement, requirements(extra)), map(Requirement, EXTRAS[extra])
        assert {*found} == {*written}, "as the metadata of this installation says"


def run_line(line: str, shell: str, *more: str) -> str:
    done = subprocess.run(
        [shell, "-c", shlex.join(["eval", line + " " + shlex.join(more)])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("where", ["pipx", "pip", "checkout"])
def test_shells_pass_the_line_on_as_it_is(
    shell: str, where: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is zsh, which takes unquoted brackets for a pattern of file names."""
    program = plain / "bin" / "echo arguments"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done\n')
    program.chmod(0o755)
    shutil.copy(program, program.with_name("pipx"))
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    if where == "pipx":
        (plain / "pipx_metadata.json").touch()
    if where == "checkout":
        checkout = Checkout(tmp_path / "it's here", True)
        monkeypatch.setattr(install, "find_checkout", lambda: checkout)
    last = f"{tmp_path}/it's here[cuda]" if where == "checkout" else "jax[cuda12]<0.12,>=0.10"
    assert run_line(extra_line("cuda"), shell).splitlines()[-1] == last


@pytest.mark.parametrize("is_checkout", [False, True])
def test_pip_takes_the_line(
    is_checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real pip accepts the line. It finds the library in a folder and uses no index."""
    wheel = tmp_path / "hnswlib-9.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "hnswlib-9.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: hnswlib\nVersion: 9.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    checkout = Checkout(write_checkout(tmp_path / "a copy"), True) if is_checkout else None
    monkeypatch.setattr(install, "find_checkout", lambda: checkout)
    options = "--dry-run --ignore-installed --no-index --no-build-isolation --find-links".split()
    said = run_line(extra_line("hnsw"), "bash", *options, str(tmp_path))
    expected = "hnswlib-9.0 paperclip-cli-7" if is_checkout else "hnswlib-9.0"
    assert f"Would install {expected}" in said
