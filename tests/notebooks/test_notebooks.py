"""The notebooks run from their first cell to their last, and print no warning."""

from __future__ import annotations

import os
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.getenv("PYTHONPATH", "")])
    )
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), (
        "notebooks are kept without output"
    )
    nbclient.NotebookClient(
        notebook,
        timeout=280,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = [output for output in outputs if output.output_type == "stream"]
    assert not [output.text for output in printed if output.name == "stderr"]
    shown = [output.data for output in outputs if output.output_type != "stream"]
    assert sum("data:image/jpeg;base64," in data.get("text/html", "") for data in shown) == 2
    assert sum("image/png" in data for data in shown) == 1
    assert (tmp_path / "mergers.vot").is_file()
