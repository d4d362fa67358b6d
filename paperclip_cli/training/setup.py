"""A training made ready from a recipe and a dataset: what is read, loaded, compiled for and drawn before the first step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import jax
import numpy as np

from paperclip_cli.config import Recipe, TrainConfig
from paperclip_cli.dataset.batches import Batches, Inputs, Pictures, Texts, exchanged
from paperclip_cli.dataset.captions import Caption
from paperclip_cli.dataset.captions import prepare as prepare_captions
from paperclip_cli.dataset.decoded import centre, channels_of, decoder, open_store
from paperclip_cli.dataset.pairs import Pair, available_splits, read_split
from paperclip_cli.dataset.split import TRAIN, VALIDATION
from paperclip_cli.errors import PaperclipError, UsageError
from paperclip_cli.evaluation.held_out import HeldOut, are_summaries, held_out
from paperclip_cli.evaluation.retrieval import number
from paperclip_cli.images.view import View
from paperclip_cli.progress import Progress
from paperclip_cli.threads import in_a_thread
from paperclip_cli.towers import clip, scratch
from paperclip_cli.towers.folder import ModelFolder
from paperclip_cli.towers.tokenizer import ENDS
from paperclip_cli.training import distributed, encoders
from paperclip_cli.training.encoders import Pixels
from paperclip_cli.training.features import FrozenTowers
from paperclip_cli.training.loop import Training, compiled
from paperclip_cli.training.losses import Objective
from paperclip_cli.training.optimisers import optimiser
from paperclip_cli.training.sharding import Devices, compute
from paperclip_cli.training.start import Start, start
from paperclip_cli.training.step import Batch, Learner, initial_state
from paperclip_cli.training.validation import PERCENT, Validation
from paperclip_cli.wording import counted

_WORDS = 77  # of a caption of the reference's code


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What the parts of a training have in common."""

    recipe: Recipe
    config: TrainConfig
    dataset: Path
    begin: Start
    view: View
    length: int
    size: int
    devices: Devices
    how: clip.Compute
    progress: Progress

    @cached_property
    def params(self) -> clip.Params:
        return self.begin.params()

    @property
    def pixels(self) -> Pixels:
        return Pixels(self.view.size, self.begin.folder.mean, self.begin.folder.std)

    @cached_property
    def towers(self) -> FrozenTowers:
        return FrozenTowers(
            self.begin.graph, self.params, self.pixels, self.how, self.devices, self.size
        )


def prepare(
    recipe: Recipe,
    config: TrainConfig,
    dataset: Path,
    base: ModelFolder | None,
    inputs: dict[str, str],
    progress: Progress,
) -> Training:
    """Reads the dataset, makes or loads the model, and says on which devices it will be trained. `inputs` are the fingerprints of both."""
    pairs = read_split(dataset, TRAIN)
    initial_key, key = jax.random.split(jax.random.key(config.seed))
    begin = start(
        base or scratch.new_model(config.init, (pair.caption for pair in pairs)),
        recipe,
        config.seed,
        initial_key,
    )
    setting = _setting(recipe, config, dataset, begin, pairs, progress)
    learner = _learner(setting)
    validated = _held_out(setting)
    step = in_a_thread(
        lambda: compiled(
            learner,
            setting.devices,
            _divided(begin.shapes, recipe)[1],
            _batch_shapes(setting, pairs),
            key,
        )
    )
    groups = number([pair.key for pair in pairs])[1]
    frozen, trained = _divided(setting.params, recipe)
    given = _inputs(setting, pairs, groups, inputs, key)
    validation = validated and _validation(setting, learner, *validated)
    if frozen:
        frozen = jax.device_get(frozen)  # the towers have done their work
    batches = Batches(
        inputs=given,
        groups=groups,
        size=setting.size,
        seed=config.seed,
        unique=recipe.unique_proposals,
        part=setting.devices.part,
    )
    state = jax.jit(partial(initial_state, learner))(
        trained
    )  # one program in place of one for each shape of a parameter
    initial, augmenting = setting.devices.replicate((state, key))
    folder = replace(begin.folder, view=setting.view)
    return Training(
        recipe=recipe,
        folder=folder,
        tokenizer=begin.tokenizer,
        learner=learner,
        step=step.result(),
        initial=initial,
        frozen=frozen,
        devices=setting.devices,
        batches=batches,
        validation=validation,
        key=augmenting,
        log_every=config.log_every,
    )


def _setting(
    recipe: Recipe,
    config: TrainConfig,
    dataset: Path,
    begin: Start,
    pairs: list[Pair],
    progress: Progress,
) -> _Setting:
    view = replace(begin.folder.view, kind=recipe.view, crop=recipe.crop)
    size = _batch_size(recipe, pairs, config.accumulate)
    devices = Devices(size, config.devices, config.accumulate)
    how = compute(config.dtype, devices, begin.folder.config, config.remat)
    if recipe.train == "head" and jax.process_count() > 1:
        raise UsageError(
            "--train head runs in one process: heads are small", "start it without srun"
        )
    progress.note(
        f"training on {devices}"
        + (" in bfloat16" if how.dtype else "")
        + (f"; batches of {size}, which are all proposals" if size < recipe.batch_size else "")
    )
    return _Setting(
        recipe=recipe,
        config=config,
        dataset=dataset,
        begin=begin,
        view=view,
        length=_caption_length(recipe, begin.folder),
        size=size,
        devices=devices,
        how=how,
        progress=progress,
    )


def _divided(params: clip.Params, recipe: Recipe) -> tuple[clip.Params, clip.Params]:
    """What is frozen and what is trained. Frozen towers are no part of the state at all: a mask would carry them through every step."""
    if recipe.train == "full":
        return {}, params
    trained = {name: part for name, part in params.items() if name in (*clip.EXTRAS, "logit_scale")}
    return {name: part for name, part in params.items() if name not in trained}, trained


def _learner(setting: _Setting) -> Learner:
    recipe = setting.recipe
    whole = encoders.towers(setting.begin.graph, setting.pixels, setting.how)
    return Learner(
        encoders.heads() if recipe.train == "head" else whole,
        optimiser(recipe),
        Objective(recipe.loss, recipe.logit_scale == "reference"),
        recipe.ema_decay,
        setting.config.accumulate,
    )


def _batch_shapes(setting: _Setting, pairs: list[Pair]) -> Batch:
    """Of what `Batches` will give: images as they are stored, or what towers pool of them, and the tokens of captions or as much."""
    shape, rows, recipe = setting.devices.batch_shape, setting.size, setting.recipe
    groups = shape((rows,), np.int32) if recipe.multi_positive else None
    if recipe.train == "head":
        widths = (
            tower.hidden_size
            for tower in (setting.begin.folder.config.vision, setting.begin.folder.config.text)
        )
        images, texts = (shape((rows, width), np.float32) for width in widths)
        return Batch(images, texts, groups)
    side = setting.view.store_side
    return Batch(
        shape((rows, side, side, channels_of(pairs)), np.uint8),
        shape((rows, setting.length), np.int32),
        groups,
    )


def _inputs(
    setting: _Setting, pairs: list[Pair], groups: np.ndarray, inputs: dict[str, str], key: jax.Array
) -> Inputs:
    """What batches are made of: images and captions, or, for heads, what the frozen towers pool of them."""
    recipe, seed = setting.recipe, setting.config.seed
    texts = [pair.caption for pair in pairs]
    captions = _captions(
        setting,
        exchanged(texts, groups, seed) if recipe.shuffle_pairs else texts,
        are_summaries(pairs),
    )
    room = _WORDS if recipe.caption_runs == "words" else setting.length - ENDS
    tokenize = partial(setting.begin.tokenizer.batch, length=setting.length)
    pictures = Pictures(
        _images(setting, pairs),
        Texts(
            captions=captions,
            tokenize=tokenize,
            room=room,
            seed=seed,
            any_run=recipe.caption_runs == "any",
        ),
    )
    if recipe.train == "full":
        return pictures
    seen = {
        name: getattr(recipe, name) for name in ("caption_tokens", "caption_runs", "shuffle_pairs")
    }
    about = json.dumps(
        [inputs, asdict(setting.view), seen, seed, str(setting.how.dtype)], sort_keys=True
    )
    folder = (
        setting.dataset / ".store" / f"features-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
    )
    return setting.towers.store(folder, pictures, recipe.head_views, key, setting.progress)


def _captions(setting: _Setting, texts: list[str], summaries: bool) -> list[Caption]:
    if setting.recipe.caption_runs == "words":
        return prepare_captions(
            texts, lambda pieces: [len(piece.split()) for piece in pieces], summaries
        )
    return prepare_captions(texts, setting.begin.tokenizer.count, summaries)


def _images(setting: _Setting, pairs: list[Pair]) -> Callable[[np.ndarray], np.ndarray]:
    """From rows to their stored images: decoded each time, mapped from a file, or on the device where `--cache` has it so."""
    cache, devices = setting.config.cache, setting.devices
    if cache == "none":
        return decoder(pairs, setting.view)
    store = _store(setting, pairs, TRAIN)
    if cache == "device" or (
        cache == "auto" and setting.recipe.train == "full" and devices.have_room(store.nbytes)
    ):
        return devices.keep(store)  # type: ignore[return-value]
    return lambda rows: store[rows]


def _store(setting: _Setting, pairs: list[Pair], split: str) -> np.ndarray:
    return distributed.leader_first(
        lambda: open_store(
            pairs, setting.view, setting.dataset / ".store" / split, setting.progress
        )
    )


def _held_out(setting: _Setting) -> tuple[list[Pair], HeldOut] | None:
    """The validation split; None where the dataset has none."""
    if VALIDATION not in available_splits(setting.dataset):
        return None
    pairs = read_split(setting.dataset, VALIDATION)
    split = held_out(pairs, setting.begin.tokenizer.count, setting.length - ENDS)
    if (
        setting.recipe.keep == "best"
        and setting.recipe.best_by == "accuracy"
        and len(split.texts) * PERCENT < 100
    ):
        raise PaperclipError(
            f"the validation split has {counted(len(split.texts), 'captions')}, of which {PERCENT} % are less than one",
            "choose --best-by loss, or a dataset with more proposals in validation",
        )
    return pairs, split


def _validation(
    setting: _Setting, learner: Learner, pairs: list[Pair], split: HeldOut
) -> Validation:
    views, tokens = _seen(setting, pairs, split)
    return Validation(learner, setting.devices, setting.size, views, tokens, split)


def _seen(setting: _Setting, pairs: list[Pair], split: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """The central views and the tokens of a split; for heads what the towers pool of them."""
    views = centre(_store(setting, pairs, VALIDATION), setting.view.size)
    tokens = setting.begin.tokenizer.batch(split.texts, setting.length)
    if setting.recipe.train == "full":
        return views, tokens
    return setting.towers.images(views), setting.towers.texts(tokens)


def _caption_length(recipe: Recipe, folder: ModelFolder) -> int:
    limit = folder.config.text.max_position_embeddings
    if recipe.caption_tokens is not None and recipe.caption_tokens > limit:
        raise UsageError(
            f"--caption-tokens {recipe.caption_tokens} is more than the text encoder of {folder.name} takes",
            f"give at most {limit}",
        )
    return recipe.caption_tokens or limit


def _batch_size(recipe: Recipe, pairs: list[Pair], parts: int) -> int:
    proposals = len({pair.key for pair in pairs})
    if proposals < 2:
        raise PaperclipError(
            "one proposal is too few to train on: there is nothing to tell it from",
            "add more to the dataset",
        )
    size = min(recipe.batch_size, proposals)
    if size % parts:
        raise UsageError(
            f"--accumulate {parts} does not divide a batch of {size}",
            "give a divisor of it, or another --batch-size",
        )
    return size
