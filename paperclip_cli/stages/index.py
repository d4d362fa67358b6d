"""Embeds new and changed images into an index, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from paperclip_cli.config import IndexConfig
from paperclip_cli.config.choices import IndexView
from paperclip_cli.engines.opening import destination
from paperclip_cli.errors import MissingStage, PaperclipError
from paperclip_cli.files import expanded, lock
from paperclip_cli.images.find import find_images
from paperclip_cli.images.pictures import quiet_decoders
from paperclip_cli.images.reading import Reading, seen_part
from paperclip_cli.images.view import View
from paperclip_cli.indexes.database import Entry
from paperclip_cli.indexes.destination import Destination
from paperclip_cli.indexes.folder import STAGE, IndexFolder
from paperclip_cli.indexes.journal import Journal, discard_journal
from paperclip_cli.indexes.maker import (
    ImageTower,
    Maker,
    TextTower,
    check_maker,
    open_image_tower,
    open_text_tower,
)
from paperclip_cli.indexes.model import recorded_model, whole_model_of
from paperclip_cli.indexes.open_index import OpenIndex
from paperclip_cli.indexes.reader import Candidate, Prepared, read_ahead
from paperclip_cli.indexes.scope import Scope, changes, merged
from paperclip_cli.indexes.sources import CACHED, sizes_of, with_origin
from paperclip_cli.indexes.update import Embeddings, State
from paperclip_cli.previews.records import (
    fetched_missions,
    read_previews,
    read_proposals,
    stored_path,
)
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.records import Preview
from paperclip_cli.report import Failure, Report
from paperclip_cli.sky.wcs import unit_square
from paperclip_cli.towers.folder import ModelFolder, fingerprint, resolve
from paperclip_cli.wording import counted
from paperclip_cli.workspace import Workspace


def run(
    config: IndexConfig,
    workspace: Workspace,
    progress: Progress | None = None,
    images: Callable[[ModelFolder, int], ImageTower] = open_image_tower,
    texts: Callable[[ModelFolder], TextTower] = open_text_tower,
    scope: Scope | None = None,
) -> Report:
    """Updates an index, or creates it. Meanwhile, queries are answered from its old state.

    A watch (`index_watch`) finds its own `scope`. Where nothing in it can be used, the failures are
    all that comes of it.

    Raises:
        MissingStage: there are no images to index, or there is no model.
        PaperclipError: the index has another model or view, or no image can be read.
    """
    place = destination(config.name, workspace)
    place.check(config.hnsw)  # fail before a night of work, not after it
    is_watched, scope = scope is not None, scope or _find_scope(config, workspace)

    with lock(place.folder), quiet_decoders():
        old = place.open(config.force)
        model = _model(config, place, old, workspace)
        view, reading = _seeing(config, model, old, scope.are_previews(workspace))
        maker = Maker(
            model=model,
            fingerprint=fingerprint(model, workspace),
            view=view,
            reading=reading,
            images=images,
            texts=texts,
        )
        if old is not None:
            check_maker(old, maker)

        before = place.before()
        journal = Journal(place.folder, maker.identity, model.config.projection_dim)
        embeddings = place.embeddings(journal)
        entries, failures, unplaced = _embed(
            scope, before, embeddings, maker, config.batch_size, progress or SilentProgress()
        )
        after = merged(before, scope, entries, _gone(old, workspace))
        if not after.entries and failures:
            if is_watched:
                return Report(stage=STAGE, failures=tuple(failures), unchanged=True)
            raise PaperclipError(
                f"no image can be used ({counted(len(failures), 'images')} tried): "
                f"{failures[0].item}: {failures[0].reason}"
            )

        # An index of an earlier version lacks what unrelated texts find, and is written anew.
        is_unchanged = old is not None and after == before and place.evidence is not None
        origin = with_origin(old.manifest.extra if old else {}, scope.roots, scope.sources)
        if not is_unchanged:
            place.publish(after, embeddings, maker, origin)
        elif old is not None and not origin.items() <= old.manifest.extra.items():
            place.amend(origin)
        discard_journal(place.folder)
        is_new_graph, note = place.finish(config.hnsw, progress or SilentProgress())

    notes = [] if is_unchanged or model.has_view else [_sight(model, view, reading)]
    return Report(
        stage=STAGE,
        counts=changes(before, after) | _count_of_unplaced(unplaced),
        failures=tuple(failures),
        notes=(*notes, *filter(None, [note]), *_of_unplaced(unplaced)),
        output=place.place,
        unchanged=is_unchanged and not is_new_graph,
    )


def _model(
    config: IndexConfig,
    place: Destination,
    old: IndexFolder | OpenIndex | None,
    workspace: Workspace,
) -> ModelFolder:
    """The model of `config`, or else the one that made the index, or else the only one."""
    if config.model is not None:
        return resolve(config.model, workspace)
    if old is not None:
        return whole_model_of(old, workspace)
    made = place.recorded()
    return resolve(None, workspace) if made is None else recorded_model(made, workspace)


def _find_scope(config: IndexConfig, workspace: Workspace) -> Scope:
    """The images that `config` selects: its part of all."""
    scope = _find_all(config, workspace)
    return scope if config.shard is None else scope.part(*config.shard)


def _find_all(config: IndexConfig, workspace: Workspace) -> Scope:
    """Files and folders, or the cached previews."""
    if config.paths:
        roots = [expanded(path).resolve() for path in config.paths]
        found = [Candidate(path=path, stored=str(path)) for path in find_images(roots)]
        if not found:
            names = ", ".join(map(str, config.paths))
            raise PaperclipError(
                f"there is no image in {names}", "give a folder of JPEG, PNG, TIFF or FITS files"
            )
        return Scope(
            candidates=found, roots=[str(root) for root in roots], proposals={}, sources={}
        )

    missions = fetched_missions(workspace, config.missions)
    sources = sizes_of(missions, workspace)  # before they are read: what comes later is news
    candidates = {stored_path(preview): preview for preview in read_previews(workspace, missions)}
    if not candidates:
        raise MissingStage(f"no image was fetched for {', '.join(missions)}", "paperclip fetch")
    return Scope(
        candidates=[
            _candidate(workspace, stored, preview) for stored, preview in candidates.items()
        ],
        roots=[f"{CACHED}/{mission}" for mission in missions] if config.missions else [CACHED],
        proposals=read_proposals(workspace, missions),
        sources=sources,
    )


def _candidate(workspace: Workspace, stored: str, preview: Preview) -> Candidate:
    square = None if preview.wcs is None else unit_square(preview.wcs, preview.side)
    return Candidate(
        path=workspace.root / stored,
        stored=stored,
        key=preview.key,
        observation=preview.observation,
        wcs=square,
    )


def _seeing(
    config: IndexConfig, model: ModelFolder, old: IndexFolder | OpenIndex | None, are_previews: bool
) -> tuple[View, Reading]:
    """The view and the reading of `config`, with the index's own values for those not given.

    For a new index these are the model's.
    """
    reading = old.reading if old else Reading()
    if config.view is None:
        view = old.view if old else model.view_of(are_previews)
    else:
        view, reading = _given(config.view, model), replace(reading, tiles=config.view == "tiles")
    given = {
        name: value for name in ("hdu", "stretch") if (value := getattr(config, name)) is not None
    }
    return view, replace(reading, **given)


def _given(kind: IndexView, model: ModelFolder) -> View:
    """The model's view of a kind that the user gave."""
    if kind == "clip":
        return model.own_view
    return model.view if kind == "tiles" else replace(model.view, kind=kind)


def _sight(model: ModelFolder, view: View, reading: Reading) -> str:
    return f"{model.name} sees {seen_part(view, reading)} (--view)"


def _embed(
    scope: Scope,
    before: State,
    embeddings: Embeddings,
    maker: Maker,
    batch_size: int,
    progress: Progress,
) -> tuple[list[Entry], list[Failure], list[Failure]]:
    """The entries of all readable candidates, the failures, and those read that have no position.

    New vectors are written to the journal, batch by batch.
    """
    entries, rest = _untouched(scope, {entry.path: entry for entry in before.entries})
    failures: list[Failure] = []
    unplaced: list[Failure] = []
    if not rest:
        return entries, failures, unplaced
    tower = None
    with progress.task(STAGE, total=len(rest), unit="images") as task:
        for batch in _batches(read_ahead(rest, embeddings, maker.view, maker.reading), batch_size):
            unknown = {
                done.entry.sha256: done.views
                for done in batch
                if done.entry is not None and done.views is not None
            }
            fresh = {digest: views for digest, views in unknown.items() if digest not in embeddings}
            if fresh:
                tower = tower or maker.images(maker.model, min(batch_size, len(rest)))
                _append(embeddings.journal, tower, fresh)
            entries += [done.entry for done in batch if done.entry is not None]
            failures += [
                Failure(done.candidate.stored, done.reason) for done in batch if done.entry is None
            ]
            unplaced += [
                Failure(done.candidate.stored, done.unplaced) for done in batch if done.unplaced
            ]
            task.advance(len(batch))
    return entries, failures, unplaced


def _count_of_unplaced(unplaced: Sequence[Failure]) -> dict[str, int]:
    return {"without a position": len(unplaced)} if unplaced else {}


def _of_unplaced(unplaced: Sequence[Failure]) -> Iterator[str]:
    """A note on the images that no search around a position will find."""
    if unplaced:
        which = counted(len(unplaced), "FITS images with celestial axes")
        first = unplaced[0]
        yield f"no position, and thus not in --near: {which} ({first.item}: {first.reason})"


def _batches(prepared: Iterator[Prepared], size: int) -> Iterator[list[Prepared]]:
    while batch := list(islice(prepared, size)):
        yield batch


def _untouched(scope: Scope, known: Mapping[str, Entry]) -> tuple[list[Entry], list[Candidate]]:
    """The entries of unchanged files, and the candidates that must be read."""
    entries, rest = [], []
    for candidate in scope.candidates:
        entry = candidate.entry_as(known[candidate.stored]) if candidate.stored in known else None
        if entry is None:
            rest.append(candidate)
        else:
            entries.append(entry)
    return entries, rest


def _append(journal: Journal, tower: ImageTower, batch: Mapping[str, np.ndarray]) -> None:
    vectors = tower.embed(np.concatenate(list(batch.values())))
    ends = np.cumsum([len(views) for views in batch.values()])
    journal.append(list(zip(batch, np.split(vectors, ends[:-1]), strict=True)))


def _gone(old: IndexFolder | OpenIndex | None, workspace: Workspace) -> Callable[[Entry], bool]:
    """Tells whether the file of an entry of the old index is no longer there."""
    return lambda entry: old is not None and not old.file_of(entry, workspace).exists()
