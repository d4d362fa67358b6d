"""Preparation of a training from a recipe and a dataset: everything before the first step."""

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

_WORDS = 77  # the length of a caption in the reference code


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """The settings that the parts of a training share."""

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
        begin, devices = self.begin, self.devices
        return FrozenTowers(begin.graph, self.params, self.pixels, self.how, devices, self.size)


def prepare(
    recipe: Recipe,
    config: TrainConfig,
    dataset: Path,
    base: ModelFolder | None,
    inputs: dict[str, str],
    progress: Progress,
) -> Training:
    """Reads the dataset, makes or loads the model, and notes the devices that will train it.

    `inputs` are the fingerprints of both.
    """
    pairs = read_split(dataset, TRAIN)
    initial_key, key = jax.random.split(jax.random.key(config.seed))
    model = base or scratch.new_model(config.init, (pair.caption for pair in pairs))
    begin = start(model, recipe, config.seed, initial_key)
    setting = _setting(recipe, config, dataset, begin, pairs, progress)
    learner = _learner(setting)
    validated = _held_out(setting)

    # XLA compiles the step in a thread while images are decoded and captions tokenized.
    shapes, batch = _divided(begin.shapes, recipe)[1], _batch_shapes(setting, pairs)
    step = in_a_thread(lambda: compiled(learner, setting.devices, shapes, batch, key))

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

    # Compiled, it is one program instead of one for each shape of a parameter.
    state = jax.jit(partial(initial_state, learner))(trained)
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

    smaller = f"; batch size reduced to {size}, the number of proposals"
    progress.note(
        f"training on {devices}"
        + (" in bfloat16" if how.dtype else "")
        + (smaller if size < recipe.batch_size else "")
    )
    length = _caption_length(recipe, begin.folder)
    return _Setting(
        recipe=recipe,
        config=config,
        dataset=dataset,
        begin=begin,
        view=view,
        length=length,
        size=size,
        devices=devices,
        how=how,
        progress=progress,
    )


def _divided(params: clip.Params, recipe: Recipe) -> tuple[clip.Params, clip.Params]:
    """The frozen and the trained parameters.

    Frozen towers are not in the state at all: with a mask they would go through every step.
    """
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
    """The shapes of the batches to come: stored images and tokens, or, for heads, features."""
    shape, rows, recipe = setting.devices.batch_shape, setting.size, setting.recipe
    groups = shape((rows,), np.int32) if recipe.multi_positive else None

    if recipe.train == "head":
        towers = setting.begin.folder.config
        images = shape((rows, towers.vision.hidden_size), np.float32)
        texts = shape((rows, towers.text.hidden_size), np.float32)
        return Batch(images, texts, groups)

    side = setting.view.store_side
    images = shape((rows, side, side, channels_of(pairs)), np.uint8)
    return Batch(images, shape((rows, setting.length), np.int32), groups)


def _inputs(
    setting: _Setting, pairs: list[Pair], groups: np.ndarray, inputs: dict[str, str], key: jax.Array
) -> Inputs:
    """The source of batches: images and captions or, for heads, the frozen towers' features."""
    recipe, seed = setting.recipe, setting.config.seed
    texts = [pair.caption for pair in pairs]
    if recipe.shuffle_pairs:
        texts = exchanged(texts, groups, seed)

    captions = _captions(setting, texts, are_summaries(pairs))
    room = _WORDS if recipe.caption_runs == "words" else setting.length - ENDS
    tokenize = partial(setting.begin.tokenizer.batch, length=setting.length)
    cut = Texts(
        captions=captions,
        tokenize=tokenize,
        room=room,
        seed=seed,
        any_run=recipe.caption_runs == "any",
    )
    pictures = Pictures(_images(setting, pairs), cut)
    if recipe.train == "full":
        return pictures

    folder = setting.dataset / ".store" / f"features-{_features_digest(setting, inputs)}"
    return setting.towers.store(folder, pictures, recipe.head_views, key, setting.progress)


def _features_digest(setting: _Setting, inputs: dict[str, str]) -> str:
    """A digest of everything that the stored features depend on."""
    options = ("caption_tokens", "caption_runs", "shuffle_pairs")
    seen = {name: getattr(setting.recipe, name) for name in options}
    dtype = str(setting.how.dtype)
    about = [inputs, asdict(setting.view), seen, setting.config.seed, dtype]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _captions(setting: _Setting, texts: list[str], summaries: bool) -> list[Caption]:
    if setting.recipe.caption_runs == "words":
        return prepare_captions(
            texts, lambda pieces: [len(piece.split()) for piece in pieces], summaries
        )
    return prepare_captions(texts, setting.begin.tokenizer.count, summaries)


def _images(setting: _Setting, pairs: list[Pair]) -> Callable[[np.ndarray], np.ndarray]:
    """A function from rows to their stored images.

    They are decoded each time, mapped from a file, or on the device, as `--cache` says.
    """
    cache, devices = setting.config.cache_images, setting.devices
    if cache == "none":
        return decoder(pairs, setting.view)

    store = _store(setting, pairs, TRAIN)
    may_choose = cache == "auto" and setting.recipe.train == "full"
    if cache == "device" or (may_choose and devices.have_room(store.nbytes)):
        return devices.keep(store)  # type: ignore[return-value]
    return lambda rows: store[rows]


def _store(setting: _Setting, pairs: list[Pair], split: str) -> np.ndarray:
    place = setting.dataset / ".store" / split
    return distributed.leader_first(
        lambda: open_store(pairs, setting.view, place, setting.progress)
    )


def _held_out(setting: _Setting) -> tuple[list[Pair], HeldOut] | None:
    """The validation split; None where the dataset has none."""
    if VALIDATION not in available_splits(setting.dataset):
        return None
    pairs = read_split(setting.dataset, VALIDATION)
    split = held_out(pairs, setting.begin.tokenizer.count, setting.length - ENDS)

    needs_accuracy = setting.recipe.keep == "best" and setting.recipe.best_by == "accuracy"
    if needs_accuracy and len(split.texts) * PERCENT < 100:
        raise PaperclipError(
            f"{counted(len(split.texts), 'validation captions are')} too few "
            f"for top-{PERCENT} % accuracy",
            "choose --best-by loss, or a dataset with more proposals in validation",
        )
    return pairs, split


def _validation(
    setting: _Setting, learner: Learner, pairs: list[Pair], split: HeldOut
) -> Validation:
    views, tokens = _seen(setting, pairs, split)
    return Validation(learner, setting.devices, setting.size, views, tokens, split)


def _seen(setting: _Setting, pairs: list[Pair], split: HeldOut) -> tuple[np.ndarray, np.ndarray]:
    """The central views and the tokens of a split; for heads, their features."""
    views = centre(_store(setting, pairs, VALIDATION), setting.view.size)
    tokens = setting.begin.tokenizer.batch(split.texts, setting.length)
    if setting.recipe.train == "full":
        return views, tokens
    return setting.towers.images(views), setting.towers.texts(tokens)


def _caption_length(recipe: Recipe, folder: ModelFolder) -> int:
    limit = folder.config.text.max_position_embeddings
    if recipe.caption_tokens is not None and recipe.caption_tokens > limit:
        raise UsageError(
            f"--caption-tokens {recipe.caption_tokens} is more than the text encoder "
            f"of {folder.name} takes",
            f"give at most {limit}",
        )
    return recipe.caption_tokens or limit


def _batch_size(recipe: Recipe, pairs: list[Pair], parts: int) -> int:
    proposals = len({pair.key for pair in pairs})
    if proposals < 2:
        raise PaperclipError(
            "one proposal is too few to train on: there is no other to tell it from",
            "add more proposals to the dataset",
        )
    size = min(recipe.batch_size, proposals)
    if size % parts:
        raise UsageError(
            f"--accumulate {parts} does not divide a batch of {size}",
            "give a divisor of it, or another --batch-size",
        )
    return size
