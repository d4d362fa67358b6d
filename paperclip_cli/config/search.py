"""Settings of `index`, `query` and `describe`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import paperclip_cli.config.readers as readers
from paperclip_cli.config.checks import at_least, each_has_a_place, one_of, within
from paperclip_cli.config.choices import Collapse, Frame, IndexView, RankBy, Stretch
from paperclip_cli.config.given import given
from paperclip_cli.errors import UsageError
from paperclip_cli.wording import counted

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    # In memory: an array [H, W] or [H, W, 3] with its first row at the top, or of Pillow.
    Picture: TypeAlias = Union[np.ndarray, Image.Image]
    QueryImage: TypeAlias = Union[Path, Picture]
else:
    Picture = QueryImage = object  # annotations can be read without NumPy


def image_name(image: QueryImage, whole: bool = False) -> str:
    """The name of an image of a query: of a file with its folder if `whole`."""
    if isinstance(image, Path):
        return str(image) if whole else image.name
    return "image"


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """Which images to index, and how.

    Without `paths`, the cached previews of `missions` are indexed; without `missions`, those of all
    missions. `view`, `hdu` and `stretch` None keep what an existing index was made with. A new
    index takes the model's view, the science image of a FITS file, and the archive's own stretch.
    `hnsw` builds a graph of the vectors for processes that answer many queries. `shard` (i, n)
    takes the images of one of n parts.
    """

    paths: tuple[Path, ...] = ()
    model: str | None = None
    name: str = given("index", default="default")
    missions: tuple[str, ...] = given("mission", read=readers.values, default=())
    batch_size: int = 32
    view: IndexView | None = None
    hdu: int | str | None = given("hdu", read=readers.hdu, default=None)
    stretch: Stretch | None = None
    hnsw: bool = False
    shard: tuple[int, int] | None = given("shard", read=readers.shard, default=None)
    force: bool = False

    def __post_init__(self) -> None:
        at_least("--batch-size", self.batch_size, 1)
        readers.check_shard(self.shard)
        one_of("--view", self.view, IndexView)
        one_of("--stretch", self.stretch, Stretch)
        if self.paths and self.missions:
            raise UsageError(
                "--mission selects cached previews and does not go with a path",
                "leave out one of the two",
            )


@dataclass(frozen=True)
class BundleConfig:
    """An index that is exported to one file, or imported from it.

    `place` is the path of the file, or a URL to import it from. `name` names the index. With
    `model`, only an index of that model is imported.
    """

    place: str
    name: str | None = given("index", default=None)
    model: str | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    """The indexes to `merge`, which are of one model, and the name of their union."""

    merge: tuple[str, ...] = given("merge", read=readers.index_names, default=())
    name: str = given("index", default="default")
    force: bool = False

    def __post_init__(self) -> None:
        names = dict.fromkeys(self.merge)
        if len(names) < 2:
            raise UsageError("--merge needs two indexes or more", "write --merge A,B --index NAME")
        if self.name in names:
            raise UsageError(
                f"index {self.name!r} cannot be merged into itself",
                "give the union a name of its own with --index NAME",
            )


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """What to search for, and under which conditions.

    A query is the sum of its `texts` and `images` minus its `minus` texts, and returns `k` hits.
    Without any of these, `near` is a plain cone search, and so is `region`.
    `weights` is one number for the images, or one for each part: texts first, then images, then
    `minus`. Several `indexes` of one model are searched
    together; none is the index `default`, or the only one. `near` is (ra, dec) in ICRS,
    whatever `frame` it was given in, and `radius` an angle, both in degrees. `region` is a file of
    DS9 regions. `after` and `before`
    are Modified Julian Dates. `collapse` groups images into hits: by `target` (a proposal's images
    of one target), by `proposal`, or not (`none`).
    """

    texts: tuple[str, ...] = given("text", default=())
    images: tuple[QueryImage, ...] = given("image", read=readers.images, default=())
    minus: tuple[str, ...] = ()
    weights: tuple[float, ...] = given("weight", default=())
    indexes: tuple[str, ...] = given("index", read=readers.index_names, default=())
    k: int = 10
    min_score: float | None = None
    max_chance: float | None = None
    missions: tuple[str, ...] = given("mission", "proposal", read=readers.missions, default=())
    proposals: tuple[int, ...] = given("proposal", read=readers.proposals, default=())
    instruments: tuple[str, ...] = given("instrument", read=readers.values, default=())
    filters: tuple[str, ...] = given("filter", read=readers.values, default=())
    cycles: tuple[str, ...] = given("cycle", read=readers.cycles, default=())
    targets: tuple[str, ...] = given("target", read=readers.values, default=())
    near: tuple[float, float] | None = given("near", read=readers.position, default=None)
    frame: Frame = "icrs"
    region: Path | None = None
    radius: float = given("radius", read=readers.angle, default=2 / 60, typed="2arcmin")
    centre_only: bool = False
    include_moving: bool = given("moving", default=False)
    after: float | None = given("after", read=readers.date, default=None)
    before: float | None = given("before", read=readers.date, default=None)
    collapse: Collapse = "target"
    rank_by: RankBy = "semantic"

    def __post_init__(self) -> None:
        at_least("-k", self.k, 1)
        one_of("--collapse", self.collapse, Collapse)
        one_of("--rank-by", self.rank_by, RankBy)
        one_of("--frame", self.frame, Frame)
        within("--min-score", self.min_score, "from -1 to 1", lambda score: not math.isnan(score))
        # No p_chance is 0, because the query itself is counted among the texts.
        within("--max-chance", self.max_chance, "above 0, up to 1", lambda share: 0 < share <= 1)
        if not all(text.strip() for text in (*self.texts, *self.minus)):
            raise UsageError(
                "a text of the query is empty", "say what to look for, or leave it out"
            )
        if not all(0 < weight < math.inf for weight in self.weights):
            raise UsageError("--weight is not a number above 0", "use --minus for texts to avoid")
        if len(self.weights) not in (0, len(self._parts)) and not (
            len(self.weights) == 1 and self.images
        ):
            given = counted(len(self.weights), "times")
            parts = counted(len(self._parts), "parts")
            raise UsageError(
                f"--weight is given {given} for {parts} of the query",
                "give it once for the images, or once for each part: "
                "words, --text, --image, --minus",
            )

    @property
    def _parts(self) -> tuple[object, ...]:
        return (*self.texts, *self.images, *self.minus)

    @property
    def counts(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
        """The weights of the texts, of the images and of the `minus` texts."""
        of_texts, of_images = len(self.texts), len(self.images)
        if len(self.weights) == len(self._parts):
            return (
                self.weights[:of_texts],
                self.weights[of_texts : of_texts + of_images],
                self.weights[of_texts + of_images :],
            )
        return (1.0,) * of_texts, (self.weights or (1.0,)) * of_images, (1.0,) * len(self.minus)


@dataclass(frozen=True, kw_only=True)
class DescribeConfig:
    """Which images to describe, and with which labels.

    `labels` None is the paper's 77 phrases. `batch` accepts folders and describes all their images.
    `{}` in `templates` is replaced by the label. `hdu` (None: its science image) and `stretch` are
    for FITS files.

    The default template is the label alone, because a model trained on abstracts does worse with
    `an image of {}` (tests/benchmarks/answers_deepsky.py).
    """

    images: tuple[str, ...] = ()
    labels: Path | None = None
    model: str | None = None
    k: int = 4
    batch: bool = False
    templates: tuple[str, ...] = given("template", default=("{}",))
    hdu: int | str | None = given("hdu", read=readers.hdu, default=None)
    stretch: Stretch = "preview"

    def __post_init__(self) -> None:
        at_least("-k", self.k, 1)
        one_of("--stretch", self.stretch, Stretch)
        each_has_a_place(self.templates)
