"""One reader for every HTTP body, against a server that lies about size, trickles, sends bombs."""

from __future__ import annotations

import ast
import gzip
import resource
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from paperclip_cli.errors import PaperclipError
from paperclip_cli.http.body import BoundedAdapter, Bounds, TooLarge, blocks, body, in_bytes
from paperclip_cli.http.download import download
from paperclip_cli.http.retry import RETRY_STATUS, Stopped, TimedOut, Transient, raise_if_transient

BOUNDS = Bounds(what="the list", most=2**20, seconds=20)
PACKAGE = Path(__file__).resolve().parents[2] / "paperclip_cli"


@cache
def bomb(times: int, size: int = 2**28) -> bytes:
    """`size` zero bytes, compressed `times` times over, when they become about a kilobyte."""
    packer = zlib.compressobj(9, wbits=31)
    whole = b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()
    for _ in range(times - 1):
        whole = gzip.compress(whole)
    return whole


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return None

    def do_GET(self) -> None:
        self.close_connection = True
        getattr(self, "send_" + self.path.strip("/"))()

    def begin(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send_exact(self) -> None:
        self.begin(Content_Length=2**20)
        self.wfile.write(bytes(2**20))

    def send_packed(self) -> None:
        data = gzip.compress(b"sky " * 1000)
        self.begin(Content_Length=len(data), Content_Encoding="gzip")
        self.wfile.write(data)

    def send_declared(self) -> None:
        self.begin(Content_Length=2**20 + 1)

    def send_endless(self) -> None:
        self.begin()
        self.pour()

    def send_bomb(self) -> None:
        data = bomb(1)
        self.begin(Content_Length=len(data), Content_Encoding="gzip")
        self.wfile.write(data)

    def send_bombs(self) -> None:
        data = bomb(2)
        self.begin(Content_Length=len(data), Content_Encoding="gzip, gzip")
        self.wfile.write(data)

    def send_trickle(self) -> None:
        self.begin()
        while True:
            self.wfile.write(b" ")
            time.sleep(0.02)

    def send_silent(self) -> None:
        self.begin(Content_Length=4)
        self.wfile.write(b"ab")
        self.server.released.wait(30)  # type: ignore[attr-defined]

    def send_short(self) -> None:
        self.begin(Content_Length=9)
        self.wfile.write(b"ab")

    def send_garbled(self) -> None:
        self.begin(Content_Length=4, Content_Encoding="gzip")
        self.wfile.write(b"abcd")

    def send_elsewhere(self) -> None:
        self.begin(302, Location="/exact", Content_Length=3, Set_Cookie="seen=1")
        self.wfile.write(b"see")

    def send_nowhere(self) -> None:
        self.begin(302, Location="/exact")
        self.pour()

    def pour(self) -> None:
        for _ in range(4000):
            self.wfile.write(bytes(2**16))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what is tested."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    made = Server(("127.0.0.1", 0), Handler)
    made.released = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.released.set()  # type: ignore[attr-defined]
    made.shutdown()
    made.server_close()


def get(address: str, bounds: Bounds = BOUNDS, check: Callable[[], None] = lambda: None) -> bytes:
    with requests.get(address, stream=True, timeout=(2, 0.5)) as reply:
        return body(reply, bounds, check)


def test_a_body_of_just_the_bound_is_read_whole(url: str) -> None:
    assert get(f"{url}/exact") == bytes(2**20)
    assert get(f"{url}/packed") == b"sky " * 1000


@pytest.mark.parametrize("path", ["declared", "endless"])
def test_what_is_too_large_is_named(url: str, path: str) -> None:
    with pytest.raises(TooLarge, match=r"^the list is larger than 1 MiB$"):
        get(f"{url}/{path}")


@pytest.mark.parametrize("path", ["bomb", "bombs"])
def test_a_few_bytes_that_unpack_to_many_cost_no_memory(url: str, path: str) -> None:
    assert len(bomb(2)) < 2_000 and len(bomb(1)) < 2**19
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TooLarge):
        get(f"{url}/{path}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, "kB"


def test_a_trickle_ends_by_the_time_that_its_size_deserves(url: str) -> None:
    with pytest.raises(TimedOut, match="the list came too slowly"):
        get(f"{url}/trickle", Bounds(what="the list", most=2**20, seconds=0.2))
    seen = 0
    with requests.get(f"{url}/trickle", stream=True, timeout=2) as reply, pytest.raises(TimedOut):
        for block in blocks(reply, Bounds(what="x", most=99, seconds=0, slowest=1e9)):
            seen += len(block)
    assert seen < 99
    assert Bounds(what="x", most=10**9, seconds=60, slowest=50_000).allowance(10**7) == 200


@pytest.mark.parametrize(
    ("path", "kind", "reason"),
    [
        ("silent", TimedOut, "no answer in time"),
        ("short", Transient, "cut short"),
        ("garbled", Transient, "DecodeError"),
    ],
)
def test_a_broken_body_may_be_asked_for_again(url: str, path: str, kind: type, reason: str) -> None:
    with pytest.raises(kind, match=reason):
        get(f"{url}/{path}")


def test_a_run_that_ends_lets_go(url: str) -> None:
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        get(f"{url}/trickle", check=stop)


def test_the_body_of_a_redirect_is_bounded_and_its_cookies_are_kept(url: str) -> None:
    with requests.Session() as session:
        session.mount("http://", BoundedAdapter())
        with session.get(f"{url}/elsewhere", stream=True, timeout=2) as reply:
            assert len(body(reply, BOUNDS)) == 2**20 and session.cookies["seen"] == "1"
        with pytest.raises(TooLarge, match="a redirect is larger than 1 MiB"):
            session.get(f"{url}/nowhere", stream=True, timeout=2)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("endless", "/endless is larger than 1 MiB"),
        ("bombs", "/bombs is larger than 1 MiB"),
        ("nowhere", "a redirect is larger than"),
        ("short", "cannot be downloaded: the reply was cut short"),
        ("silent", "cannot be downloaded: no answer in time"),
    ],
)
def test_a_download_says_what_was_wrong(
    url: str, tmp_path: Path, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperclip_cli.http.download._TIMEOUT", (2, 0.5))
    with pytest.raises(PaperclipError, match=said):
        download(f"{url}/{path}", tmp_path / "file", 2**20)
    assert (tmp_path / "file").stat().st_size <= 2**20


def test_sizes_are_told_in_words() -> None:
    assert [in_bytes(n) for n in (2**20, 256 * 2**20, 2**30, 32 * 2**30)] == [
        "1 MiB",
        "256 MiB",
        "1 GiB",
        "32 GiB",
    ]


@pytest.mark.parametrize("status", range(200, 600))
def test_what_is_tried_again_is_told_by_one_list(status: int) -> None:
    headers = {"Retry-After": "7"}
    if status in RETRY_STATUS:
        with pytest.raises(Transient, match=f"HTTP {status}") as caught:
            raise_if_transient(status, headers)
        assert caught.value.retry_after == 7
    else:
        raise_if_transient(status, headers)
    raise_if_transient(status, headers, known=RETRY_STATUS)


def test_no_other_module_reads_a_body() -> None:
    """Of a requests reply: `raw`, `iter_content`, `iter_lines`, and `content` or `text` of one."""
    reads = {"iter_content", "iter_lines", "read1", "urlopen", "urlretrieve"}
    found = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in reads
    }
    assert found == {"body.py"}
