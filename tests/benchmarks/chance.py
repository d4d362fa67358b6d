"""`p_chance` against phrases of what the images show, and of what they do not show.

    python tests/benchmarks/chance.py --cache DIR --sky deepsky|demo [--index default] [--roc FILE]

`--cache` holds an index of the deep-sky photographs or of the simulated sky of `paperclip demo`.
The phrases are in chance_phrases.toml: present things, absent everyday things (far), and absent
things of astronomy and science (near).

For the `p_chance` of each phrase's best hit it prints the area under the ROC curve (1 if every
present phrase has a lower one than every absent phrase, 0.5 by chance), and how often absent
phrases stay at or below some values of it: as often as the value says, if it is calibrated. The
best cosine, which `p_chance` replaces as the judge, is beside it. `--roc` draws the curves.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Sequence
from pathlib import Path

import _checkout  # noqa: F401
import numpy as np

import paperclip_cli
from paperclip_cli.records import Hit

PHRASES = Path(__file__).with_name("chance_phrases.toml")
LEVELS = (0.05, 0.1, 0.2, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sky", choices=("deepsky", "demo"), required=True)
    parser.add_argument("--index")
    parser.add_argument("--phrases", choices=("tuned", "held_out"), default="held_out")
    parser.add_argument("--roc", type=Path)
    parser.add_argument("--verbose", action="store_true", help="every phrase with its p_chance")
    options = parser.parse_args()

    phrases = tomllib.loads(PHRASES.read_text())[options.phrases][options.sky]
    index = paperclip_cli.open_index(options.index, cache=options.cache)
    best = {
        kind: [index.search(text, k=1, collapse="none")[0] for text in texts]
        for kind, texts in phrases.items()
    }
    absent = {"far": best["far"], "near": best["near"], "absent": best["far"] + best["near"]}
    counts = ", ".join(f"{len(hits)} {kind}" for kind, hits in best.items())
    print(f"{options.sky}, {len(index):,} images, phrases {options.phrases}: {counts}")
    for kind, hits in absent.items():
        by_chance = area(chances(best["present"]), chances(hits))
        by_cosine = area([-hit.score for hit in best["present"]], [-hit.score for hit in hits])
        print(f"present against {kind:6}: AUC {by_chance:.3f} (best cosine {by_cosine:.3f})")
    for level in LEVELS:
        found = np.mean(np.array(chances(best["present"])) <= level)
        false = {kind: np.mean(np.array(chances(hits)) <= level) for kind, hits in absent.items()}
        shown = ", ".join(f"{kind} {share:.2f}" for kind, share in false.items())
        print(f"p_chance at most {level:4}: false alarms {shown}; found {found:.2f}")
    if options.verbose:
        for kind, hits in best.items():
            for hit in sorted(hits, key=lambda hit: hit.p_chance or 0):
                print(f"{kind:8}{hit.p_chance:6.3f}  {hit.query}")
    if options.roc:
        draw(options.roc, options.sky, best["present"], absent)


def chances(hits: Sequence[Hit]) -> list[float]:
    """The `p_chance` of hits for texts, which have one."""
    return [hit.p_chance for hit in hits]


def area(present: Sequence[float], absent: Sequence[float]) -> float:
    """The share of pairs in which the present one is lower; equal ones count half."""
    low, high = np.array(present)[:, None], np.array(absent)[None]
    return float(np.mean(low < high) + np.mean(low == high) / 2)


def draw(path: Path, sky: str, present: Sequence[Hit], absent: dict[str, list[Hit]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(aspect=1)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="chance")
    levels = np.linspace(0, 1, 1001)
    found = [np.mean(np.array(chances(present)) <= level) for level in levels]
    for kind, hits in absent.items():
        false = [np.mean(np.array(chances(hits)) <= level) for level in levels]
        auc = area(chances(present), chances(hits))
        axes.plot(false, found, label=f"present against {kind}: {auc:.2f}")
    axes.set(
        xlabel="false alarms (absent phrases)",
        ylabel="found (present phrases)",
        title=f"p_chance, {sky}: {len(present)} present, {len(absent['absent'])} absent phrases",
    )
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
