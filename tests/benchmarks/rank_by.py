"""What each way of ranking finds by descriptions and by names.

    python tests/benchmarks/rank_by.py --cache DIR --sky deepsky --from DIR
    python tests/benchmarks/rank_by.py --cache DIR --sky demo

`--cache` holds an index of the deep-sky photographs in `--from`, whose objects.csv gives the class
and the names of each object, or of the simulated sky of `paperclip demo`, which knows what it has
painted. The 40 descriptions are in rank_by_texts.toml. The 40 names are drawn with a fixed seed: of
the photographs, 20 designations as written, 10 without a space and in lower case, and 10 proper
names; of the simulated sky, five planets and 35 designations.

For descriptions it prints the precision of the ten best hits (one a proposal's target), among all
images and among the held-out ones; for names, how often the best hit shows the object.
"""

from __future__ import annotations

import argparse
import csv
import random
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import _checkout  # noqa: F401
import numpy as np

import paperclip_cli
from paperclip_cli.config.choices import RankBy
from paperclip_cli.records import Hit
from paperclip_cli.simulation.plan import PLANETS, plan_proposal

TEXTS = Path(__file__).with_name("rank_by_texts.toml")
K, MANY = 10, 10**6
HELD_OUT = ("validation", "test")
DEMO_SEED = 42


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sky", choices=("deepsky", "demo"), required=True)
    parser.add_argument("--from", dest="source", type=Path, help="the photographs")
    parser.add_argument("--index")
    parser.add_argument("--verbose", action="store_true", help="every text with its figures")
    options = parser.parse_args()

    index = paperclip_cli.open_index(options.index, cache=options.cache)
    descriptions = tomllib.loads(TEXTS.read_text())[options.sky]
    if options.sky == "demo":
        class_of, names = simulated(index)
    else:
        class_of, names = photographed(options.source)
    print(f"{options.sky}: {len(descriptions)} descriptions, {len(names)} names")
    for way in get_args(RankBy):
        found = [
            precisions(index.search(text, k=MANY, rank_by=way), right, class_of)
            for text, right in descriptions.items()
        ]
        first = [shows(index.search(name, k=1, rank_by=way)) for name, shows in names.items()]
        every, held = np.array(found).mean(axis=0)
        print(
            f"{way:9} descriptions: precision at {K} {every:.3f}, held out {held:.3f}; "
            f"names first {sum(first)} of {len(first)}"
        )
        if options.verbose:
            for text, (all_images, held_out) in zip(descriptions, found, strict=True):
                print(f"    {text:44} {all_images:.1f} {held_out:.1f}")
            print(
                "    not first:",
                [n for n, is_first in zip(names, first, strict=True) if not is_first],
            )


def precisions(
    hits: Sequence[Hit], right: Sequence[str], class_of: Callable[[Hit], str]
) -> tuple[float, float]:
    """The share of right classes among the ten best hits: of all images, of the held-out ones."""
    held = [hit for hit in hits if hit.split in HELD_OUT]
    # Fewer than ten hits are ten with wrong ones: keyword search may find nothing.
    shares = [sum(class_of(hit) in right for hit in some[:K]) / K for some in (hits, held)]
    return shares[0], shares[1]


def simulated(index: paperclip_cli.Index) -> tuple[Callable[[Hit], str], dict[str, Callable]]:
    """The class of a hit on the simulated sky, and names with what tells the object."""
    kinds: dict[int, str] = {}
    first = plan_proposal(DEMO_SEED, 0).proposal_id

    def class_of(hit: Hit) -> str:
        number = int(hit.proposal_id or 0)
        if number not in kinds:
            kinds[number] = plan_proposal(DEMO_SEED, number - first).kind.label
        return kinds[number]

    targets = sorted(
        {hit.target for hit in index.search("SIM", k=MANY, rank_by="keyword", collapse="none")}
    )
    drawn = random.Random(0).sample([name for name in targets if name.startswith("SIM")], 35)
    names = [*PLANETS.values(), *drawn]
    return class_of, {name: named(lambda hit: hit.target, {name}) for name in names}


def photographed(source: Path) -> tuple[Callable[[Hit], str], dict[str, Callable]]:
    """The class of a photograph, and names with what tells the object."""
    with (source / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = {(row["proposal_id"], Path(row["image"]).stem): row["class10"] for row in rows}
    objects: dict[str, set[str]] = {}
    proper: dict[str, set[str]] = {}
    for row in rows:
        objects.setdefault(row["designations"].split("; ")[0], set()).add(row["proposal_id"])
        for name in filter(None, row["proper_names"].split("; ")[:1]):
            proper.setdefault(name, set()).add(row["proposal_id"])

    draw = random.Random(0)
    designations = draw.sample(sorted(objects), 30)
    wanted = {name: objects[name] for name in designations[:20]}
    wanted |= {name.replace(" ", "").lower(): objects[name] for name in designations[20:]}
    wanted |= {name: proper[name] for name in draw.sample(sorted(proper), 10)}

    def class_of(hit: Hit) -> str:
        return classes[str(hit.proposal_id), Path(hit.image).stem]

    return class_of, {
        name: named(lambda hit: str(hit.proposal_id), right) for name, right in wanted.items()
    }


def named(of: Callable[[Hit], object], right: set) -> Callable[[Sequence[Hit]], bool]:
    """Whether the best hit is one of the right ones."""
    return lambda hits: bool(hits) and of(hits[0]) in right


if __name__ == "__main__":
    main()
