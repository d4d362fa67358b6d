"""What several test modules of the Python API share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.programs import program

BY_FUNCTIONS = """
import json, sys
from pathlib import Path
from tests.api import sky

sky.small_towers()
cache, folder = map(Path, sys.argv[1:])
done = sky.run_all(cache, folder)
said = {
    "functions": sorted(done),
    "accuracy": list(done["evaluate"].result.accuracy.by_image.values()),
    "labels": [list(label) for label in done["describe"].items[0].labels],
    "cite": done["cite"],
    "counts": {
        name: getattr(done[name], "report", done[name]).counts
        for name in ("fetch", "summarize", "build_dataset", "train", "evaluate", "index")
    },
    "plots": sorted(path.name for path in (folder / "plots").iterdir()),
    "taken": done["import_index"].output.name,
    "images": done["index_status"]["images"],
    "topics": [check.topic for check in done["doctor"]],
    "not got": [failure.item for failure in done["get"].report.failures],
}
(folder / "said.json").write_text(json.dumps(said))
sky.ask(cache)
ours = ("paperclip_cli", "tests", "__m")
modules = [name for name in sys.modules if not name.startswith(ours)]
(folder / "modules").write_text(" ".join(modules))
"""


@pytest.fixture(scope="session")
def by_functions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The cache and the results of a program that calls each function once, and is silent."""
    folder = tmp_path_factory.mktemp("functions")
    done = program(BY_FUNCTIONS, folder / "cache", folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr
    return folder / "cache", json.loads((folder / "said.json").read_text())
