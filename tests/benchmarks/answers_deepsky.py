"""Answers of a model trained on catalogued deep-sky photographs, checked against their classes.

    python tests/benchmarks/answers_deepsky.py --from DIR --cache DIR [--index default]

`--cache` holds an index of the images in `--from`, made by a model that was trained on them
(`paperclip fetch --from DIR`, build-dataset, train, index). `DIR/objects.csv` gives the class of
each image (`class10`).

For eight queries it prints the classes of the top ten hits, and precision at 10 beside the base
rate: the share of that class among all images. The same follows for held-out images alone, if the
model held any out. Then come the effect of averaging over prompt templates, and how often each way
of searching finds an object by its name.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import _checkout  # noqa: F401
import numpy as np

from paperclip_cli.config import QueryConfig
from paperclip_cli.indexes.folder import choose_index, open_index
from paperclip_cli.indexes.model import model_of
from paperclip_cli.indexes.vectors import best
from paperclip_cli.records import Hit
from paperclip_cli.stages import query
from paperclip_cli.towers.prompts import embed_phrases
from paperclip_cli.workspace import Workspace

K = 10
# Query -> the class that counts as a right answer.
QUERIES = {
    "globular cluster": "globular cluster",
    "spiral galaxy": "spiral galaxy",
    "planetary nebula": "planetary nebula",
    "open cluster": "open cluster",
    "emission nebula": "emission nebula or supernova remnant",
    "reflection nebula": "reflection or dark nebula",
    "interacting galaxies": "interacting galaxies",
    "elliptical galaxy": "elliptical or lenticular galaxy",
}
TEMPLATES = (
    ("{}",),
    ("an image of {}",),
    ("a telescope image of {}",),
    ("{}", "an image of {}", "a telescope image of {}"),
)
NAME = "NGC 7000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--index")
    options = parser.parse_args()

    workspace = Workspace(options.cache.absolute(), offline=True)
    with (options.source / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = {
        (row["proposal_id"], PurePosixPath(row["image"]).stem): row["class10"] for row in rows
    }

    every = precisions(workspace, options.index, classes, None)
    held_out = precisions(workspace, options.index, classes, ("validation", "test"))

    print_answers(every)
    print_precisions("all images", every)
    print_precisions("held-out images", held_out)
    print_templates(workspace, options.index, classes)
    print_names(workspace, options.index, rows)


def class_of(image: str, classes: Mapping[tuple[str, str], str]) -> str:
    path = PurePosixPath(image)
    return classes[path.parent.name.removeprefix("proposal_"), path.stem]


def precisions(
    workspace: Workspace, index: str | None, classes: Mapping, splits: Sequence[str] | None
) -> dict[str, tuple]:
    """Query -> the classes of its top ten hits, and the share of the right class among all hits.

    Only images of `splits` count, or all where it is None.
    """
    found = {}
    for text, wanted in QUERIES.items():
        config = QueryConfig(
            texts=(text,), indexes=(index,) if index else (), k=10**6, collapse="none"
        )
        hits = [
            hit
            for hit in next(query.run(config, workspace)).hits
            if splits is None or hit.split in splits
        ]
        ordered = [class_of(hit.image, classes) for hit in hits]
        found[text] = ordered[:K], ordered.count(wanted) / max(1, len(ordered))
    return found


def print_answers(found: Mapping[str, tuple]) -> None:
    for text, (top, _) in found.items():
        counts = Counter(top).most_common()
        print(f"{text:22}", ", ".join(f"{count} {name}" for name, count in counts))


def print_precisions(title: str, found: Mapping[str, tuple]) -> None:
    print(f"\n{title:22} precision at {K}   base rate   ratio")
    gains = []
    for text, (top, base) in found.items():
        precision = top.count(QUERIES[text]) / max(1, len(top))
        gains.append((precision, base))
        ratio = precision / base if base else float("nan")
        print(f"{text:22} {precision:15.2f} {base:11.2f} {ratio:7.1f}")
    mean, base = np.mean(gains, axis=0)
    print(f"{'mean':22} {mean:15.2f} {base:11.2f} {mean / base:7.1f}")


def print_templates(workspace: Workspace, name: str | None, classes: Mapping) -> None:
    """The effect of templates on classes as queries (precision at 10) and as labels (accuracy)."""
    index = open_index(workspace.index(choose_index(name, workspace)))
    model = model_of(index, workspace)
    images = list(index.observations.images())
    truth = [class_of(image.entry.path, classes) for image in images]
    held = np.array([image.split in ("validation", "test") for image in images])
    names = sorted(set(truth))

    print(f"\n{'templates':44} precision at {K}   label accuracy (held out)")
    for templates in TEMPLATES:
        asked = embed_phrases(tuple(QUERIES), templates, model, workspace)
        tops = [[truth[place] for place in best(index.vectors @ vector, K)] for vector in asked]
        precision = np.mean(
            [top.count(wanted) / K for top, wanted in zip(tops, QUERIES.values(), strict=True)]
        )

        phrases = embed_phrases(names, templates, model, workspace)
        labels = (index.vectors @ phrases.T).argmax(axis=1)
        right = np.array([names[label] for label in labels]) == np.array(truth)
        said = f"{right.mean():.3f}" + (f" ({right[held].mean():.3f})" if held.any() else "")
        print(f"{' | '.join(templates):44} {precision:15.3f}   {said}")


def print_names(workspace: Workspace, index: str | None, rows: Sequence[Mapping[str, str]]) -> None:
    """How many objects rank first for their first designation, and the rank of `NAME`."""
    objects: dict[str, set[str]] = {}
    for row in rows:
        for number, name in enumerate(row["designations"].split("; ")):
            if number == 0 or name == NAME:
                objects.setdefault(name, set()).add(row["proposal_id"])

    print()
    for rank_by in ("keyword", "hybrid", "semantic"):
        ranks = {
            name: rank_of(right, name, rank_by, workspace, index) for name, right in objects.items()
        }
        first = sum(rank == 1 for rank in ranks.values())
        place = f"{NAME}: rank {ranks[NAME]}" if NAME in ranks else f"{NAME} is not among them"
        print(f"{rank_by:9} ranks {first} of {len(ranks)} objects first by designation; {place}")


def rank_of(
    right: set[str], name: str, rank_by: str, workspace: Workspace, index: str | None
) -> int | None:
    """The rank of the first image of the proposals `right` in the answer to a name."""
    config = QueryConfig(texts=(name,), indexes=(index,) if index else (), k=100, rank_by=rank_by)
    hits: Sequence[Hit] = next(query.run(config, workspace)).hits
    return next((hit.rank for hit in hits if str(hit.proposal_id) in right), None)


if __name__ == "__main__":
    main()
