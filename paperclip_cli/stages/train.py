"""Trains a CLIP model on a dataset.

A training that resumes from a checkpoint continues exactly.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import jax

from paperclip_cli.config import Recipe, TrainConfig, training_recipe
from paperclip_cli.config.choices import ViewKind
from paperclip_cli.dataset.columns import Wanted
from paperclip_cli.dataset.imported import open_dataset, origin_of
from paperclip_cli.dataset.pairs import available_splits, read_keys
from paperclip_cli.dataset.pairs import fingerprint as dataset_fingerprint
from paperclip_cli.errors import PaperclipError
from paperclip_cli.files import lock, replace_file, replace_folder
from paperclip_cli.progress import Progress, SilentProgress
from paperclip_cli.report import Report
from paperclip_cli.services.hub_card import last_part
from paperclip_cli.towers import card, weights
from paperclip_cli.towers.folder import HEADS, MODEL_FILES, ModelFolder, fingerprint
from paperclip_cli.towers.local_devices import local_devices, refuse_64_bits
from paperclip_cli.towers.weight_files import WEIGHTS
from paperclip_cli.training import distributed
from paperclip_cli.training.checkpoints import Checkpoints
from paperclip_cli.training.interruption import Requests, stop_requests, unheard
from paperclip_cli.training.loop import Training
from paperclip_cli.training.metrics import MetricsLog, as_csv, read_metrics
from paperclip_cli.training.setup import prepare
from paperclip_cli.training.start import base_model, preset_of
from paperclip_cli.training.step import TrainState
from paperclip_cli.upkeep.inventory import PLAN
from paperclip_cli.upkeep.removal import reading
from paperclip_cli.workspace import (
    Manifest,
    Workspace,
    read_manifest,
    stamps_of,
    whole_manifest,
    write_manifest,
)

STAGE = "train"
METRICS, CHECKPOINTS = "metrics.jsonl", "checkpoints"
# Settings that `--resume` may change: none of them affects a step that is done.
_MAY_CHANGE = {"steps", "eval_every", "learning_rate"}
_ASKED = ("dataset", "image_column", "text_column", "group_column", "dtype", "accumulate", "remat")
# A setting that the plans of earlier versions lack. Their trainings decayed every parameter.
_DECAYS_ALL = "decays_all"
_RISE = 1.01  # of a validation loss above its lowest; less is noise


@dataclass(frozen=True)
class Plan:
    """The identity of a training: two with the same plan give the same model."""

    config: dict
    inputs: dict[str, str]
    # Options that do not affect the result, and the name of the dataset: --resume takes them again.
    asked: dict = dataclasses.field(default_factory=dict, compare=False)

    @property
    def is_earlier(self) -> bool:
        """Whether it is of an earlier version, whose weight decay acted on every parameter."""
        return _DECAYS_ALL not in self.config

    def differences(self, other: Plan) -> dict[str, str]:
        """The differences from another plan, by name: `steps (300, now 500)`."""
        mine, theirs = self.config | self.inputs, other.config | other.inputs
        return {
            name: f"{name} ({theirs.get(name)}, now {mine.get(name)})"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
        }


def run(
    config: TrainConfig,
    workspace: Workspace,
    progress: Progress | None = None,
    owns_process: bool = False,
) -> Report:
    """Trains a model, continues a training of the same plan, or reports that it is finished.

    With `owns_process`, it joins the other processes of its job, if there are any, and a signal
    stops it between two steps, with the state saved. Otherwise both are the caller's matter:
    KeyboardInterrupt comes at once, and the last checkpoint is what is kept.

    Raises:
        MissingStage: there is no dataset.
        PaperclipError: the model was trained with other settings.
    """
    if not owns_process:
        return _train(config, workspace, progress, unheard)
    with distributed.joined():
        return _train(config, workspace, progress, stop_requests)


def _train(
    config: TrainConfig, workspace: Workspace, progress: Progress | None, requests: Requests
) -> Report:
    local_devices()
    refuse_64_bits()
    progress = progress if progress is not None and distributed.leads() else SilentProgress()
    folder, state = workspace.model(config.name), workspace.training(config.name)
    if config.resume:
        config = _resumed(config, _begun(state))
    columns = Wanted(config.image_column, config.text_column, config.group_column)
    opened = open_dataset(config.dataset, columns, workspace, progress)
    dataset = opened.folder
    base = base_model(config.init, workspace)

    with ExitStack() as held:
        held.enter_context(lock(folder) if distributed.leads() else nullcontext())
        for read in _read_for_long(dataset, workspace):
            held.enter_context(reading(read))
        finished = None if config.force else whole_manifest(folder, (WEIGHTS, HEADS))
        old = Plan(finished.config, finished.inputs) if finished else None
        begun = None if config.force else _begun(state)
        before = begun or old
        is_earlier = before is not None and before.is_earlier
        recipe = _recipe(config, base, is_earlier)
        plan = _plan(config, recipe, dataset, base, workspace, is_earlier)
        if finished and plan == old:
            return opened.onto(_report(finished, folder, unchanged=True))
        _refuse_other(plan, before, config)
        if is_earlier:
            progress.note(
                "an earlier version began this training: as then, weight decay acts on everything"
            )
        training = prepare(recipe, config, dataset, base, plan.inputs, workspace, progress)
        if other := _other_captions(base, _captions(training, dataset)):
            progress.note(other)
        distributed.meet("all have read what was there")
        if distributed.leads():
            _open_state(state, plan, begun)
        distributed.meet("the first process has made room")

        keeps_best = recipe.keep == "best" and training.validation is not None
        with Checkpoints(state / CHECKPOINTS, keeps_best, recipe.best_by) as checkpoints:
            last = _go_on(training, checkpoints, state, progress, requests)
            kept = checkpoints.best() if keeps_best else None
            final = last if kept in (None, recipe.steps) else checkpoints.restore(kept, last)
        if distributed.leads():
            _finish(training, final, kept or recipe.steps, plan, dataset, folder, state, base)
        distributed.meet("the model is written")
    if not distributed.leads():
        return Report(stage=STAGE)
    return opened.onto(_report(read_manifest(folder), folder))


def _read_for_long(dataset: Path, workspace: Workspace) -> Iterator[Path]:
    """What nobody may remove from the cache while a training runs."""
    yield workspace.decoded()
    if dataset.is_relative_to(workspace.root):
        yield dataset


def _resumed(config: TrainConfig, begun: Plan | None) -> TrainConfig:
    """The options of a training that goes on. What has its usual value is as it was begun.

    Derived values are not derived again: a warm-up stays the one that was begun with.
    """
    if begun is None:
        raise PaperclipError(
            f"there is no training of model {config.name!r} to resume", "leave out --resume"
        )
    known, usual = begun.config | begun.asked, TrainConfig()
    if begun.config.get(_DECAYS_ALL):
        known["recipe"] = "paper"  # the only one of which this is a part
    kept = {
        field.name: known[field.name]
        for field in dataclasses.fields(config)
        if field.name in known and getattr(config, field.name) == getattr(usual, field.name)
    }
    return replace(config, **kept)


def _recipe(config: TrainConfig, base: ModelFolder | None, is_earlier: bool) -> Recipe:
    """The recipe. A model of ours keeps its view unless `config` gives another.

    A training that an earlier version began goes on by that version's rules.
    """
    recipe = training_recipe(config, config.init if is_earlier else preset_of(config.init, base))
    if is_earlier:
        recipe = replace(recipe, decays_all=True)
    if base is not None and base.has_view:
        # The images of a dataset are square, so that `clip` is `centre`.
        usual: ViewKind = "whole" if base.view.kind == "whole" else "centre"
        view, crop = config.view or usual, config.crop or base.view.crop
        recipe = replace(recipe, view=view, crop=crop)
    return recipe


def _plan(
    config: TrainConfig,
    recipe: Recipe,
    dataset: Path,
    base: ModelFolder | None,
    workspace: Workspace,
    is_earlier: bool,
) -> Plan:
    inputs = {"dataset": dataset_fingerprint(dataset, workspace)}
    if base:
        inputs["base"] = fingerprint(base, workspace)
    settings = dataclasses.asdict(recipe)
    if is_earlier:
        settings.pop(_DECAYS_ALL)  # so that the plan stays the one it began with
    asked = {name: getattr(config, name) for name in _ASKED}
    return Plan({"init": config.init, "seed": config.seed, **settings}, inputs, asked)


def _begun(state: Path) -> Plan | None:
    """The plan of a training that has a checkpoint, or None if starting over loses nothing."""
    if not any(child.name.isdigit() for child in (state / CHECKPOINTS).glob("*")):
        return None
    try:
        return Plan(**json.loads((state / PLAN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PaperclipError(
            f"{state / PLAN} is damaged ({error})", "start over with `paperclip train --force`"
        ) from error


def _refuse_other(plan: Plan, other: Plan | None, config: TrainConfig) -> None:
    """Refuses to replace a training of another plan, except with --force.

    --resume may change the number of steps and the learning rate.
    """
    changed = plan.differences(other) if other else {}
    if changed and not (config.resume and changed.keys() <= _MAY_CHANGE):
        raise PaperclipError(
            f"model {config.name!r} was trained with other settings: {', '.join(changed.values())}",
            "train another model with --name, or replace this one with --force",
        )


def _captions(training: Training, dataset: Path) -> str:
    """The kind of a dataset's captions: `summary`, `abstract`, or `other` in those of others."""
    if training.learns_summaries:
        return "summary"
    return "other" if origin_of(dataset) else "abstract"


def _other_captions(base: ModelFolder | None, captions: str) -> str | None:
    """A warning where a model of abstracts goes on with summaries, or the reverse."""
    data = base.card.get("data") if base else None
    known = data.get("captions") if isinstance(data, dict) else None
    names = {"abstract": "abstracts", "summary": "summaries"}
    if not (base and isinstance(known, str) and known in names and captions in names):
        return None
    if known == captions:
        return None
    return (
        f"warning: {base.name} was trained on {names[known]}, and the captions of this dataset are "
        f"{names[captions]} (build-dataset --captions {known} makes the others)"
    )


def _open_state(state: Path, plan: Plan, begun: Plan | None) -> None:
    if begun is None:
        shutil.rmtree(state, ignore_errors=True)
    replace_file(state / PLAN, json.dumps(dataclasses.asdict(plan), indent=2) + "\n")


def _go_on(
    training: Training,
    checkpoints: Checkpoints,
    state: Path,
    progress: Progress,
    requests: Requests,
) -> TrainState:
    """The state after the last step."""
    begun = checkpoints.last()
    now = training.initial if begun is None else checkpoints.restore(begun, training.initial)
    if begun:
        progress.note(f"continuing from step {begun} of {training.recipe.steps}")
    log = MetricsLog(state / METRICS, begun or 0) if distributed.leads() else None
    return training.run(now, begun or 0, checkpoints, log, progress, requests)


def _finish(
    training: Training,
    final: TrainState,
    step: int,
    plan: Plan,
    dataset: Path,
    folder: Path,
    state: Path,
    base: ModelFolder | None,
) -> None:
    """Writes the folder of the model."""
    scores = _scores(state, step)
    splits = {
        split: [str(key) for key in read_keys(dataset, split)]
        for split in available_splits(dataset)
    }
    licence = card.licence(training.folder.path, training.folder.name)
    # A model is shared: of a folder only the name is given, because its path is private.
    started_from, init = last_part(training.folder.name), last_part(str(plan.config["init"]))
    preset = preset_of(str(plan.config["init"]), base)
    settings = plan.config | {"init": init, "preset": preset, "kept_step": step}
    paperclip = card.machine_card(
        settings, splits, started_from, licence, origin_of(dataset), _captions(training, dataset)
    )
    done = Manifest(
        stage=STAGE,
        config=plan.config,
        inputs=plan.inputs,
        counts={"steps": training.recipe.steps, "images": len(training.batches.groups)},
        extra={"kept_step": step, **scores},
    )

    with replace_folder(folder) as new:
        model = replace(training.folder, path=new, name=folder.name, card=paperclip)
        limit = model.config.text.max_position_embeddings
        readme = card.readme(
            folder.name, model.view, paperclip, scores, model.extras, most_tokens=limit
        )
        weights.save(model, jax.device_get(training.whole(final)), training.tokenizer, readme)
        for name in (METRICS, as_csv(Path(METRICS))):
            shutil.copyfile(state / name, new / name)
        names = *MODEL_FILES, METRICS, as_csv(Path(METRICS)).name
        write_manifest(new, replace(done, files=stamps_of(new, names)))


def _scores(state: Path, step: int) -> dict[str, float]:
    """The validation scores of the last evaluation at a step."""
    log = [
        line
        for line in read_metrics(state / METRICS)
        if line["step"] == step and "validation_loss" in line
    ]
    last = log[-1] if log else {}
    scores = {name: value for name, value in last.items() if value is not None}
    return {name: value for name, value in scores.items() if name.startswith("validation")}


def _report(done: Manifest | None, folder: Path, unchanged: bool = False) -> Report:
    if done is None:
        raise PaperclipError(f"the manifest of {folder} cannot be read", "train again with --force")
    names = "kept_step", "validation_loss", "validation_accuracy_10"
    step, loss, accuracy = map(done.extra.get, names)
    note = f"the model is from step {step}"
    if loss is None:
        note += ", the last one; there was no validation"
    else:
        note += f": validation loss {loss:.3f}"
    if accuracy is not None:
        note += f", retrieval accuracy at 10 % {accuracy:.3f}"
    rising = _overfitting(folder, done)
    return Report(
        stage=STAGE,
        counts=done.counts,
        notes=(note, rising) if rising else (note,),
        output=folder,
        unchanged=unchanged,
    )


def _overfitting(folder: Path, done: Manifest) -> str | None:
    """A warning where the last weights are kept although the validation loss rose before them."""
    if done.config.get("keep") != "last" or not (folder / METRICS).is_file():
        return None
    losses = [
        (line["validation_loss"], line["step"])
        for line in read_metrics(folder / METRICS)
        if line.get("validation_loss") is not None
    ]
    if not losses or losses[-1][0] <= _RISE * min(losses)[0]:
        return None
    (lowest, step), (last, end) = min(losses), losses[-1]
    return (
        f"perhaps overfitting: the validation loss was lowest at step {step} ({lowest:.3f}) and "
        f"rose to {last:.3f} at step {end}, which is kept; "
        "train again with --keep best or fewer --steps"
    )
