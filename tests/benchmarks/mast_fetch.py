"""Speed and politeness of `fetch`, against a local stand-in of MAST that takes 150 ms per request.

    python tests/benchmarks/mast_fetch.py
    python tests/benchmarks/mast_fetch.py --refusing 5

The first form fetches 40 proposals with 5 previews each: sequentially, with 4 workers, and with 8.
The second fetches for five minutes at 10 requests per second, and every second request is refused.

The sequential loop is what one would write with astroquery alone, and what the paper's own
downloader does: one proposal after another through `query_criteria`, `get_product_list` and
`download_products`, then every picture is made smaller.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import _checkout  # noqa: F401
from PIL import Image

from paperclip_cli.config import FetchConfig
from paperclip_cli.output.bars import progress
from paperclip_cli.stages import fetch
from paperclip_cli.workspace import Workspace
from tests.standin.content import HST_FIRST
from tests.standin.process import StandInProcess, standin

PREVIEWS = 5


def sequential(mast: StandInProcess, folder: Path, proposals: int) -> int:
    """Fetch one proposal after another. Returns the number of pictures."""
    from astroquery.mast import ObservationsClass

    client = ObservationsClass()
    portal = client._portal_api_connection
    portal.MAST_REQUEST_URL = mast.url + "/api/v0/invoke"
    portal.COLUMNS_CONFIG_URL = mast.url + "/portal/Mashup/Mashup.asmx/columnsconfig"
    portal.MAST_DOWNLOAD_URL = mast.url + "/api/v0.1/Download/file"
    portal._column_configs.clear()

    for number in range(HST_FIRST, HST_FIRST + proposals):
        products = client.get_product_list(
            client.query_criteria(obs_collection="HST", proposal_id=[str(number)])
        )
        products = client.filter_products(products, productType="PREVIEW")
        wanted = [is_wanted(name) for name in products["productFilename"]]
        client.download_products(
            products[wanted], download_dir=str(folder / str(number)), verbose=False
        )

    paths = list(folder.rglob("*.jpg"))
    for path in paths:
        with Image.open(path) as image:
            image.thumbnail((512, 512), Image.Resampling.LANCZOS)
            image.save(path)
    return len(paths)


def is_wanted(name: str) -> bool:
    unwanted = any(word in name for word in ("color", "thumb", "skycell"))
    return name.endswith(".jpg") and "_total_" in name and not unwanted


def ours(mast: StandInProcess, folder: Path, **settings: object) -> int:
    from astroquery.mast import conf
    from astroquery.mast.discovery_portal import PortalAPI

    PortalAPI._column_configs.clear()
    catalogue = mast.url + "/abstracts.cat"
    config = FetchConfig(everything=True, catalog=catalogue, **settings)  # type: ignore[arg-type]
    with conf.set_temp("server", mast.url):
        return fetch.run(config, Workspace(folder), progress()).counts["images"]


def timed(
    name: str, mast: StandInProcess, work: Callable[[Path], int], latency: float, expected: int
) -> float:
    mast.set(latency=latency)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        pictures = work(Path(folder))
        seconds = time.perf_counter() - start
    assert pictures == expected, f"{name}: {pictures} pictures of {expected}"
    requests = len(mast.log())
    print(f"{name:28} {seconds:7.1f} s  {requests:5} requests  {pictures} pictures", flush=True)
    return seconds


def speed(proposals: int, side: int, latency: float) -> None:
    """Print the three times and their ratios."""
    expected = proposals * PREVIEWS
    with standin(hst=proposals, jwst=0, previews=PREVIEWS, side=side) as mast:
        with tempfile.TemporaryDirectory() as folder:
            # Imports everything, and makes the stand-in draw its pictures.
            ours(mast, Path(folder), rate=0)

        astroquery = partial(sequential, mast, proposals=proposals)
        alone = timed("sequential, astroquery", mast, astroquery, latency, expected)
        for workers in (4, 8):
            name = f"paperclip fetch --workers {workers}"
            fetching = partial(ours, mast, rate=0, workers=workers)
            seconds = timed(name, mast, fetching, latency, expected)
            print(f"{'':28} {alone / seconds:7.1f} times as fast")


def refusing(minutes: float, rate: float) -> None:
    """Print how many requests it took to fetch everything, and the most in any second."""
    proposals = round(minutes * 60 * rate / 2 / PREVIEWS)
    with standin(hst=proposals, jwst=0, previews=PREVIEWS, side=96) as mast:
        mast.set(faults=[{"on": "", "do": "status", "status": 503, "every": 2}])
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            pictures = ours(mast, Path(folder), rate=rate)
            seconds = time.perf_counter() - start
        times = [entry["time"] for entry in mast.log()]
        refused = sum("fault" in entry for entry in mast.log())

    assert pictures == proposals * PREVIEWS
    mean = len(times) / (times[-1] - times[0])
    print(
        f"{pictures} of {proposals * PREVIEWS} pictures in {seconds:.0f} s, "
        f"{len(times)} requests, {refused} refused, {mean:.2f} per second, "
        f"{busiest_second(times)} in the busiest second (--rate {rate:g})"
    )


def busiest_second(times: list[float]) -> int:
    """The most requests in any second."""
    most, last = 0, 0
    for first, begin in enumerate(times):
        while last < len(times) and times[last] < begin + 1:
            last += 1
        most = max(most, last - first)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proposals", type=int, default=40)
    parser.add_argument("--side", type=int, default=1000, help="width of the previews in pixels")
    parser.add_argument("--latency", type=float, default=0.15, help="seconds per request")
    parser.add_argument(
        "--refusing", type=float, help="measure this many minutes of refusals instead"
    )
    parser.add_argument("--rate", type=float, default=10.0)
    given = parser.parse_args()

    warnings.simplefilter("ignore")
    if given.refusing:
        refusing(given.refusing, given.rate)
    else:
        speed(given.proposals, given.side, given.latency)


if __name__ == "__main__":
    main()
