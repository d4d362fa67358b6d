"""Builds a dataset of image-text pairs from previews, abstracts and summaries.

It is split by proposal and written as Parquet in the Hugging Face layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from paperclip_cli.config import DEFAULT_MODEL, BuildDatasetConfig
from paperclip_cli.dataset.captions import estimated_tokens
from paperclip_cli.dataset.card import dataset_card, share
from paperclip_cli.dataset.join import Row, join, mark_seen
from paperclip_cli.dataset.pairs import Pair, write_split
from paperclip_cli.dataset.split import SPLITS, TEST, TRAIN, VALIDATION, split_keys
from paperclip_cli.errors import BadItem, MissingStage, PaperclipError
from paperclip_cli.files import expanded, lock, replace_folder
from paperclip_cli.previews.records import (
    fetched_fingerprints,
    fetched_missions,
    read_image,
    read_previews,
    read_proposals,
)
from paperclip_cli.progress import Progress, SilentProgress, Task
from paperclip_cli.report import Failure, Report
from paperclip_cli.summaries.files import SUMMARIES, choose_set, read_summaries
from paperclip_cli.towers import hub
from paperclip_cli.towers.folder import TOKENIZER
from paperclip_cli.towers.tokenizer import ENDS, Tokenizer
from paperclip_cli.wording import counted
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    file_sha256,
    is_finished,
    read_manifest,
    settings,
    stamps_of,
    whole_manifest,
    write_manifest,
)

STAGE = "build-dataset"
ROOM = 77 - ENDS  # tokens between the start and the end token of CLIP's text encoder
Splits = Mapping[str, Sequence[Row]]


def run(
    config: BuildDatasetConfig, workspace: Workspace, progress: Progress | None = None
) -> Report:
    """Builds a dataset, or reports that it is up to date.

    Raises:
        MissingStage: there are no images, abstracts or summaries.
    """
    missions = fetched_missions(workspace, config.missions)
    chosen = choose_set(workspace, config.summaries, needed=config.captions == "summary")
    config = replace(config, missions=missions, summaries=chosen)
    folder = expanded(config.out).absolute() if config.out else workspace.dataset(config.name)
    if config.out or not config.force:
        _refuse_foreign(folder, may_be_damaged=config.out is not None)

    with lock(folder):
        inputs = fetched_fingerprints(workspace, missions)
        if chosen:
            inputs[f"summaries/{chosen}"] = file_sha256(workspace.summaries(chosen) / SUMMARIES)
        plan = Manifest(stage=STAGE, config=settings(config, "name", "out", "force"), inputs=inputs)

        found = None if config.force else whole_manifest(folder, ("data/",))
        is_current = found is not None and is_finished(folder, STAGE, plan.config, inputs)
        if found and is_current and not found.extra.get("failed"):
            return _report(found, folder, unchanged=True)
        return _build(config, workspace, folder, plan, progress or SilentProgress())


def _refuse_foreign(folder: Path, may_be_damaged: bool) -> None:
    """Refuses to replace a folder that holds anything but a dataset of ours."""
    if folder.exists() and not folder.is_dir():
        raise PaperclipError(f"{folder} is a file", "give --out a new or empty folder")
    manifest = read_manifest(folder, may_be_damaged)
    if folder.is_dir() and any(folder.iterdir()) and (manifest is None or manifest.stage != STAGE):
        raise PaperclipError(
            f"{folder} is not empty and not a dataset of paperclip",
            "give --out a new or empty folder",
        )


def _build(
    config: BuildDatasetConfig,
    workspace: Workspace,
    folder: Path,
    plan: Manifest,
    progress: Progress,
) -> Report:
    """Writes the dataset beside the old one, and replaces that when it is complete."""
    rows, excluded = _joined(config, workspace)
    splits = mark_seen(_divide(rows, config))
    failures: list[Failure] = []
    with replace_folder(folder) as new:
        with progress.task(STAGE, total=len(rows), unit="images") as task:
            for split, members in splits.items():
                write_split(new, split, _pairs(members, workspace, task, failures))

        lost = {failure.item for failure in failures}
        splits = {
            split: kept
            for split, members in splits.items()
            if (kept := [row for row in members if _name(row) not in lost])
        }
        if not splits:
            tried = counted(len(rows), "images")
            raise PaperclipError(
                f"no image can be used ({tried} tried): {failures[0].reason}",
                "run `paperclip fetch` again",
            )

        card = dataset_card(splits, plan.config, _sources(workspace, config.missions))
        (new / "README.md").write_text(card, encoding="utf-8")
        names = [path.relative_to(new).as_posix() for path in sorted(new.rglob("*"))]
        files = stamps_of(new, names)
        notes = [*_notes(splits, config), _cut_captions(splits, workspace)]
        extra = {"excluded": excluded, "failed": len(failures), "notes": notes}
        done = replace(plan, counts=_counts(splits), extra=extra, files=files)
        write_manifest(new, done)
    return replace(_report(done, folder), failures=tuple(failures))


def _joined(config: BuildDatasetConfig, workspace: Workspace) -> tuple[list[Row], dict[str, int]]:
    previews = read_previews(workspace, config.missions)
    if not previews:
        missions = ", ".join(config.missions)
        raise MissingStage(f"no image was fetched for {missions}", "paperclip fetch")
    summaries = read_summaries(workspace, config.summaries) if config.summaries else {}
    rows, excluded = join(
        read_proposals(workspace, config.missions), previews, summaries, config.captions
    )
    if not rows:
        reasons = "; ".join(counted(count, reason) for reason, count in excluded.items())
        raise PaperclipError(
            f"no image has a caption ({reasons})",
            "fetch images and abstracts of the same proposals",
        )
    return rows, excluded


def _divide(rows: Sequence[Row], config: BuildDatasetConfig) -> dict[str, list[Row]]:
    keys = split_keys(
        (row.proposal.key for row in rows), config.val_fraction, config.test_fraction, config.seed
    )
    home = {key: split for split, members in keys.items() for key in members}
    return {split: [row for row in rows if home[row.proposal.key] == split] for split in keys}


def _pairs(
    rows: Sequence[Row], workspace: Workspace, task: Task, failures: list[Failure]
) -> Iterator[Pair]:
    for row in rows:
        task.advance()
        try:
            image = read_image(workspace, row.preview)
        except BadItem as error:
            failures.append(Failure(_name(row), str(error)))
            continue
        yield row.pair(image)


def _name(row: Row) -> str:
    return f"{row.proposal.key} {row.preview.image}"


def _sources(workspace: Workspace, missions: Sequence[str]) -> dict[str, str]:
    """The source and the date of each mission's previews.

    Of a folder only the name is given, because its path is private.
    """
    manifests = {mission: read_manifest(workspace.previews(mission)) for mission in missions}
    return {mission: _source(manifest) for mission, manifest in manifests.items() if manifest}


def _source(manifest: Manifest) -> str:
    names = ", ".join(Path(source).name for source in manifest.inputs)
    return f"{names or 'previews'}, fetched {manifest.created[:10]}"


def _counts(splits: Splits) -> dict[str, int]:
    rows = [row for members in splits.values() for row in members]
    return {
        "images": len(rows),
        "proposals": len({row.proposal.key for row in rows}),
        **{f"{split} images": len(members) for split, members in splits.items()},
    }


def _notes(splits: Splits, config: BuildDatasetConfig) -> list[str]:
    held_out = [row for split, members in splits.items() if split != TRAIN for row in members]
    notes = []
    if TRAIN in splits and held_out:
        sky = share([row.seen_sky for row in held_out])
        text = share([row.seen_text for row in held_out])
        notes.append(
            f"held-out images whose sky is in training: {sky}; whose text is in training: {text}"
        )

    wanted = {
        TRAIN: config.val_fraction + config.test_fraction < 1,
        VALIDATION: config.val_fraction > 0,
        TEST: config.test_fraction > 0,
    }
    missing = [split for split in SPLITS if wanted[split] and split not in splits]
    if missing:
        notes.append(f"too few proposals: none fell into {' and '.join(missing)}")
    return notes


def _cut_captions(splits: Splits, workspace: Workspace) -> str:
    """The fraction of captions that are longer than CLIP's text encoder.

    CLIP's tokenizer counts the tokens if it is on this machine; otherwise they are estimated.
    """
    rows = [row for members in splits.values() for row in members]
    captions = list({row.proposal.key: row.caption for row in rows}.values())
    try:
        folder = hub.locate(DEFAULT_MODEL, replace(workspace, offline=True), (), _no_tokenizer)
        lengths, how = Tokenizer.read(folder).count(captions), ""
    except PaperclipError:
        lengths, how = estimated_tokens(captions), ", estimated"
    cut = share([length > ROOM for length in lengths])
    return f"captions longer than CLIP's text encoder: {cut}{how}"


def _no_tokenizer(folder: Path) -> list[str]:
    return [] if (folder / TOKENIZER).is_file() else [TOKENIZER]


def _report(done: Manifest, folder: Path, unchanged: bool = False) -> Report:
    return Report(
        stage=STAGE,
        counts=done.counts,
        excluded=done.extra.get("excluded", {}),
        notes=tuple(done.extra.get("notes", ())),
        output=folder,
        unchanged=unchanged,
    )
