"""Retrieval on a simulated sky that the model never saw, with two controls.

    python tests/benchmarks/simulated_sky.py [--proposals 900] [--seeds 42 43 44] [--steps 1500]
        [--work DIR]

For each seed, `scratch:tiny` is trained on one sky and searched on another, which has at least 30
frames of every class. Prints accuracy at 10 %, and precision at 10 of five queries. The controls
should be at chance: a model that was trained on shuffled pairs, and the model itself on frames with
a blanked interior, of which only the footprint is left.

This exercises the pipeline. The numbers say nothing about real data.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli import malloc
from paperclip_cli.archives.base import Candidate
from paperclip_cli.cli.demo import PROPOSALS, STEPS
from paperclip_cli.config import (
    BuildDatasetConfig,
    EvaluateConfig,
    FetchConfig,
    SummarizeConfig,
    TrainConfig,
)
from paperclip_cli.dataset.pairs import Pair, read_split, write_split
from paperclip_cli.evaluation.embed_split import embed_pairs
from paperclip_cli.images.pictures import encode_jpeg, make_canvas
from paperclip_cli.output import bars
from paperclip_cli.progress import SilentProgress
from paperclip_cli.simulation.archive import SimulatedSky, simulated_sky
from paperclip_cli.simulation.classes import CLASSES
from paperclip_cli.simulation.plan import plan_proposal
from paperclip_cli.stages import build_dataset, evaluate, fetch, summarize, train
from paperclip_cli.towers.folder import resolve
from paperclip_cli.towers.numpy_text_tower import TextTower
from paperclip_cli.workspace import Workspace

PERCENT, HITS, LEAST_FRAMES = 10, 10, 30
OTHER_SKY = 1_000_000  # added to a seed for the sky that is searched
QUERIES = {
    "galaxy mergers": "galaxy merger",
    "gravitational lens": "gravitational lens",
    "globular cluster": "globular cluster",
    "planetary nebula": "planetary nebula",
    "spiral galaxy": "spiral galaxy",
}


@dataclass(frozen=True)
class Scores:
    """The results of one seed. `precision` has the order of QUERIES."""

    accuracy: float
    precision: tuple[float, ...]
    shuffled: float
    blanked: float


def main() -> None:
    options = parser().parse_args()
    malloc.keep_freed_pages()  # as the commands do
    with tempfile.TemporaryDirectory() as folder:
        root = Path(options.work or folder)
        scores = [measured(root / str(seed), seed, options) for seed in options.seeds]

    report("accuracy at 10 % (target 0.60, chance 0.10)", [score.accuracy for score in scores])
    for number, query in enumerate(QUERIES):
        values = [score.precision[number] for score in scores]
        report(f"precision at 10, {query!r} (target 0.70)", values)
    report("control: trained on shuffled pairs (chance 0.10)", [score.shuffled for score in scores])
    report("control: interior blanked (chance 0.10)", [score.blanked for score in scores])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument(
        "--proposals", type=int, default=PROPOSALS, help="number of proposals in the training sky"
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    made.add_argument("--work", help="keep the results in this folder, and reuse them")
    made.add_argument("--steps", type=int, default=STEPS)
    return made


def measured(root: Path, seed: int, options: argparse.Namespace) -> Scores:
    """Train on the sky of `seed`, with true and with shuffled pairs, and search another."""
    ours, theirs = Workspace(root / "train", offline=True), Workspace(root / "search", offline=True)
    sky = simulated_sky(enough(seed + OTHER_SKY), seed + OTHER_SKY)
    fetched(ours, options.proposals, seed, test=0)
    fetched(theirs, sky.count, sky.seed, test=1)

    pairs = read_split(ours.dataset("default"), "train")
    write_split(ours.dataset("shuffled"), "train", shuffled(pairs, seed))
    models = [trained(ours, name, seed, options.steps) for name in ("default", "shuffled")]

    candidates = by_name(sky)
    searched = read_split(theirs.dataset("default"), "test")
    write_split(
        theirs.dataset("blanked"), "test", (blanked(sky, candidates, pair) for pair in searched)
    )
    model, control = models
    return Scores(
        accuracy=accuracy_at(theirs, model, "default"),
        precision=precisions(theirs, model, sky, candidates),
        shuffled=accuracy_at(theirs, control, "default"),
        blanked=accuracy_at(theirs, model, "blanked"),
    )


def enough(seed: int) -> int:
    """The number of proposals that gives every class `LEAST_FRAMES` frames."""
    frames: Counter[str] = Counter()
    for index in count():
        if len(frames) == len(CLASSES) and min(frames.values()) >= LEAST_FRAMES:
            return index
        plan = plan_proposal(seed, index)
        frames[plan.kind.label] += len(plan.frames)
    raise AssertionError("unreachable")


def fetched(workspace: Workspace, proposals: int, seed: int, test: float) -> None:
    """Make the sky of a seed a dataset with a training split (`test` 0) or a test split (1)."""
    start = time.monotonic()
    fetch.run(FetchConfig(simulate=proposals, seed=seed), workspace, bars.PlainProgress())
    print(f"sky {seed}: {proposals} proposals in {time.monotonic() - start:.0f} s", flush=True)
    summarize.run(SummarizeConfig(), workspace)
    build_dataset.run(
        BuildDatasetConfig(captions="summary", val_fraction=0, test_fraction=test), workspace
    )


def shuffled(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The same images with captions of other proposals. Whole proposals change places."""
    captions = {pair.key: pair.caption for pair in pairs}
    keys = list(captions)
    order = np.random.default_rng(seed).permutation(len(keys))
    moved = {
        keys[place]: captions[keys[other]]
        for place, other in zip(order, np.roll(order, 1), strict=True)
    }
    return [replace(pair, caption=moved[pair.key]) for pair in pairs]


def trained(workspace: Workspace, name: str, seed: int, steps: int) -> Path:
    """Train a model on the dataset of the same name. Returns its folder."""
    start = time.monotonic()
    train.run(
        TrainConfig(init="scratch:tiny", dataset=name, name=name, seed=seed, steps=steps),
        workspace,
        bars.PlainProgress(),
    )
    print(f"seed {seed}, {name}: trained in {time.monotonic() - start:.0f} s", flush=True)
    return workspace.model(name)


def by_name(sky: SimulatedSky) -> dict[str, Candidate]:
    """The frames of a sky by proposal key and name."""
    return {
        f"{proposal.key} {candidate.name}": candidate
        for proposal in sky.proposals()
        for candidate in sky.previews(proposal.key)
    }


def blanked(sky: SimulatedSky, candidates: dict[str, Candidate], pair: Pair) -> Pair:
    """The pair with its image blanked inside the footprint."""
    picture = sky.blank_interior(candidates[f"{pair.key} {pair.observation.obs_id}"])
    return replace(pair, image=encode_jpeg(make_canvas(picture, FetchConfig().size)))


def accuracy_at(workspace: Workspace, model: Path, dataset: str) -> float:
    found = evaluate.run(EvaluateConfig(model=str(model), dataset=dataset), workspace)
    return found.result.accuracy.by_image[PERCENT] or 0.0


def precisions(
    workspace: Workspace, model: Path, sky: SimulatedSky, candidates: dict[str, Candidate]
) -> tuple[float, ...]:
    """Precision at 10 of each query: the share of the first ten images of its class."""
    folder = resolve(str(model), workspace)
    dataset = workspace.dataset("default")
    pairs = read_split(dataset, "test", images=False)
    found = embed_pairs(
        folder, dataset, ("test",), pairs, EvaluateConfig().batch_size, SilentProgress()
    )
    labels = np.array(
        [sky.truth(candidates[f"{pair.key} {pair.observation.obs_id}"]).label for pair in pairs]
    )

    scores = found.images @ TextTower.open(folder).embed(list(QUERIES)).T
    best = np.argsort(-scores, axis=0, kind="stable")[:HITS]
    return tuple(
        float((labels[best[:, number]] == label).mean())
        for number, label in enumerate(QUERIES.values())
    )


def report(name: str, values: Sequence[float]) -> None:
    each = " ".join(f"{value:.2f}" for value in values)
    print(f"{name}: mean {np.mean(values):.3f}, least {min(values):.3f} ({each})", flush=True)


if __name__ == "__main__":
    main()
