"""What `datasets` is told while it reads a folder, and that it is taken back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
from datasets.packaged_modules.webdataset.webdataset import WebDataset

from paperclip_cli.dataset.loading import loaded
from paperclip_cli.dataset.row_images import Places
from tests.foreign_datasets import rows, write_parquet


def settings() -> tuple[object, ...]:
    bars = datasets.are_progress_bars_disabled()
    return datasets.config.HF_HUB_OFFLINE, sorted(WebDataset.DECODERS), bars


def test_two_threads_leave_datasets_as_it_was(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "theirs", train=rows(0, 2))
    before = settings()
    second_is_in, first_is_out = threading.Event(), threading.Event()

    def second() -> tuple[object, ...]:
        (tmp_path / "second").mkdir()
        with loaded("theirs", Places(folder, folder), tmp_path / "second"):
            second_is_in.set()
            first_is_out.wait(30)
            return settings()

    (tmp_path / "first").mkdir()
    with ThreadPoolExecutor(1) as pool:
        with loaded("theirs", Places(folder, folder), tmp_path / "first"):
            inside = settings()
            running = pool.submit(second)
            second_is_in.wait(1)  # it should wait, but could be in by then
        first_is_out.set()
        assert running.result() == inside != before, "nothing is unpickled while it reads"
    assert settings() == before
