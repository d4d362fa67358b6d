"""Figures of `evaluate --plots`: those of the PAPERCLIP paper, with its values beside ours.

Only this module imports matplotlib.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paperclip_cli.config.evaluation import PAPER_BATCH, TEXT_TO_IMAGE
from paperclip_cli.dataset import paper
from paperclip_cli.errors import PaperclipError
from paperclip_cli.evaluation.plot_data import Curve, Figures, Gallery, Similarities, TrainingLog
from paperclip_cli.evaluation.table import CONTROL
from paperclip_cli.files import replace_file
from paperclip_cli.install import extra_line
from paperclip_cli.output.console import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf")
# Distinct for the colour-blind, too.
_COLOURS = "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #000000".split()
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
# Names and titles come from anyone, so a dollar sign in them begins no formula.
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,
    "text.parse_math": False,
}
_GREY = "#777777"


def require_matplotlib() -> None:
    """Raises a PaperclipError where it is not installed, before an hour of work is lost."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise PaperclipError(
            "--plots needs matplotlib, which is not installed", extra_line("plots")
        ) from error


def draw(figures: Figures, folder: Path) -> list[Path]:
    """Draws each figure that has data as PNG and as PDF, and returns the files."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(_STYLE):
        return [path for name, figure in _all(figures) for path in _save(figure, folder / name)]


def _all(figures: Figures) -> Iterator[tuple[str, Figure]]:
    if figures.logs:
        yield "training", _training(figures.logs)
    if figures.similarities:
        yield "similarity", _similarity(figures.similarities)
    for direction in dict.fromkeys(curve.direction for curve in figures.curves):
        curves = [curve for curve in figures.curves if curve.direction == direction]
        yield f"retrieval-{direction}", _retrieval(curves)
    for number, gallery in enumerate(figures.galleries, 1):
        ending = f"-{number}" if len(figures.galleries) > 1 else ""
        yield f"images-by-text{ending}", _images_by_text(gallery)
        yield f"texts-by-image{ending}", _texts_by_image(gallery)


def _save(figure: Figure, place: Path) -> Iterator[Path]:
    for form in FORMATS:
        file = io.BytesIO()
        # Without a date, equal figures give equal files.
        metadata = {"CreationDate": None} if form == "pdf" else None
        figure.savefig(file, format=form, dpi=150, metadata=metadata)
        path = place.with_name(f"{place.name}.{form}")
        replace_file(path, file.getvalue())
        yield path


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns)))


def _training(logs: Sequence[TrainingLog]) -> Figure:
    """Loss and retrieval accuracy at 10 % over the steps of the training."""
    figure, (losses, accuracies) = _figure(1, 2, 8.5, 3.6)
    for log, colour in zip(logs, _cycle(len(logs)), strict=True):
        name = _short(log.name)
        points: Any = {"color": colour, "markersize": 3}
        validation = _series(log, "validation_loss")
        accuracy = _series(log, "validation_accuracy_10")
        losses.plot(*_series(log, "loss"), color=colour, alpha=0.35, linewidth=0.8)
        losses.plot(*validation, "o-", label=f"{name}, validation", **points)
        accuracies.plot(*accuracy, "o-", label=name, **points)

    losses.set(xlabel="step", ylabel="loss (InfoNCE)", title="pale: training, in its own batches")
    if any(log.has_paper_loss for log in logs):
        _levels(losses, paper.LOSS)

    accuracies.set(
        xlabel="step",
        ylabel="retrieval accuracy at 10 %",
        ylim=(0, 1),
        title="image to text, unique; dotted: the paper's\n"
        "last values, text to image in batches of 100",
    )
    _levels(accuracies, paper.TOP_10)

    losses.legend()
    accuracies.legend(loc="upper left")
    return figure


def _series(log: TrainingLog, name: str) -> tuple[list[float], list[float]]:
    lines = [line for line in log.lines if line.get(name) is not None]
    return [line["step"] for line in lines], [line[name] for line in lines]


def _levels(axes: Axes, values: dict[str, float]) -> None:
    """Dotted lines at the paper's values, each with its name at the right end.

    A name stands below its line where another line is close above.
    """
    near = 0.06 * abs(np.subtract(*axes.get_ylim()))
    for name, value in values.items():
        is_crowded = any(0 < other - value < near for other in values.values())
        axes.axhline(value, color=_GREY, linestyle=":", linewidth=0.8)
        axes.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="top" if is_crowded else "bottom",
            fontsize=7,
            color=_GREY,
        )


def _similarity(found: Sequence[Similarities]) -> Figure:
    """Histograms of the cosines of true and of shuffled pairs: one panel per model, one scale."""
    figure, panels = _figure(len(found), 1, 5.5, 0.6 + 2.4 * len(found))
    everything = np.concatenate([np.concatenate([one.true, one.shuffled]) for one in found])
    bins = np.linspace(everything.min(), everything.max(), 41).tolist()

    for axes, one in zip(panels, found, strict=True):
        _histogram(axes, bins, one.shuffled, "shuffled pairs", _GREY)
        _histogram(axes, bins, one.true, "true pairs", _COLOURS[0])
        axes.set(title=_short(one.name), ylabel="density")
        axes.legend()
    panels[-1].set_xlabel("cosine similarity of image and caption")
    return figure


def _histogram(axes: Axes, bins: list[float], values: np.ndarray, name: str, colour: str) -> None:
    """Density of values in `bins`, with a line at their mean; nothing where there are none."""
    if not len(values):
        return
    label = f"{name}, mean {values.mean():.3f}"
    axes.hist(values, bins, density=True, color=colour, alpha=0.45, label=label)
    axes.axvline(values.mean(), color=colour, linewidth=1)


def _retrieval(curves: Sequence[Curve]) -> Figure:
    """Retrieval accuracy against the retrieved fraction, beside the paper's values at 10 %.

    Controls are dashed.
    """
    figure, (axes,) = _figure(1, 1, 6.4, 4.4)
    for curve, colour in zip(curves, _cycle(len(curves)), strict=True):
        _curve(axes, curve, colour)

    first = curves[0]
    chance = np.geomspace(first.fraction[0], 1, 50)
    axes.plot(chance, chance, color=_GREY, linestyle=":", label="chance")
    is_alike = (first.protocol, first.direction) == (PAPER_BATCH, TEXT_TO_IMAGE)
    _papers_accuracies(axes, is_alike)

    lowest = max(first.fraction[0], _TICKS[0])
    direction = first.direction.replace("-", " ")
    axes.set(
        xscale="log",
        xlim=(lowest, 1),
        ylim=(0, 1.02),
        xlabel="retrieved fraction of the candidates",
        ylabel="retrieval accuracy",
        title=f"{direction}, protocol {first.protocol}; bands: 95 % by proposal",
    )
    ticks = [tick for tick in _TICKS if tick >= lowest]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper left")
    return figure


def _curve(axes: Axes, curve: Curve, colour: str) -> None:
    name = _short(curve.name)
    if curve.role == CONTROL:
        axes.plot(
            curve.fraction, curve.accuracy, color=colour, label=name, linestyle="--", linewidth=1.0
        )
    else:
        axes.plot(curve.fraction, curve.accuracy, color=colour, label=name, linewidth=1.6)
        axes.fill_between(
            curve.fraction, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0
        )


def _papers_accuracies(axes: Axes, is_alike: bool) -> None:
    """The paper's accuracies at 10 %, hollow where ours are not measured in the same way."""
    axes.plot(
        [0.1] * len(paper.TOP_10),
        list(paper.TOP_10.values()),
        "D",
        color=_GREY,
        markersize=4,
        fillstyle="full" if is_alike else "none",
        label="paper (Hubble)" if is_alike else "paper (Hubble, text to\nimage, batches of 100)",
    )
    for name, value in paper.TOP_10.items():
        axes.annotate(
            name,
            (0.1, value),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            color=_GREY,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )


def _images_by_text(gallery: Gallery) -> Figure:
    """One row per query, with its best pictures from left to right."""
    rows, columns = len(gallery.by_text), max(len(pictures) for _, pictures in gallery.by_text)
    figure, panels = _figure(rows, columns, 2.1 * columns, 2.6 * rows)
    figure.suptitle(f"{_short(gallery.name)}: images by text", fontsize=10)

    for place, axes in enumerate(panels):
        row, column = divmod(place, columns)
        query, pictures = gallery.by_text[row]
        if column < len(pictures):
            picture, cosine = pictures[column]
            _show(axes, picture.pixels)
            axes.set_title(f"{cosine:.3f}  {_wrapped(picture.title or picture.key)}", fontsize=7)
        else:
            axes.axis("off")
        if column == 0:
            axes.set_ylabel(_short(query), fontsize=9, fontweight="bold")
    return figure


def _texts_by_image(gallery: Gallery) -> Figure:
    """One row per picture, with the phrases of the paper's list that match it best."""
    figure, panels = _figure(len(gallery.by_image), 2, 6.4, 2.3 * len(gallery.by_image))
    figure.suptitle(f"{_short(gallery.name)}: phrases of the paper's list by image", fontsize=10)
    longest = max(cosine for _, phrases in gallery.by_image for _, cosine in phrases)

    rows = zip(gallery.by_image, panels[::2], panels[1::2], strict=True)
    for (picture, phrases), left, right in rows:
        _show(left, picture.pixels)
        left.set_title(_wrapped(f"{picture.key}: {picture.title}", 34), fontsize=8)
        names, cosines = zip(*reversed(phrases), strict=True)
        right.barh(range(len(names)), cosines, color=_COLOURS[0], alpha=0.6)
        right.set_yticks(range(len(names)), [_short(name) for name in names])
        right.set_xlim(min(0, *cosines), max(longest, 1e-3) * 1.05)
    panels[-1].set_xlabel("cosine similarity")
    return figure


def _show(axes: Axes, pixels: np.ndarray) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=_GREY, linewidth=0.5)


def _cycle(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]


def _short(text: str, width: int = 30) -> str:
    """A single line, shortened to leave room for everything else."""
    return textwrap.shorten(printable(text), width, placeholder=" ...") or printable(text)[:width]


def _wrapped(text: str, width: int = 30) -> str:
    """At most two lines."""
    return "\n".join(textwrap.wrap(printable(text), width, max_lines=2, placeholder=" ..."))
