"""The stand-in's server.

`python -m tests.standin.server --hst 12` prints its address and serves until its standard input
closes.

Besides MAST's own addresses it has /standin/log (the requests and their times) and /standin/set:
latency, page size, cap, further product rows by obsid, recorded replies by service, and faults. A
fault is `{"on": part of method, address or service, "do": kind, "times": how often, "every": each
k-th request, ...}`.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import math
import os
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from paperclip_cli.archives.catalogue import format_catalogue
from tests.standin.content import FIELDS, PRODUCT_FIELDS, Content, fits

# Replies of MAST that were recorded for astroquery's own tests and ship with it.
RECORDED = Path(str(importlib.resources.files("astroquery.mast.tests") / "data"))
HTML = b"<!DOCTYPE html><html><body>The archive is down for maintenance.</body></html>"


class StandIn(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, content: Content, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.content, self.lock = content, threading.Lock()
        self.catalogue = format_catalogue(content.proposals()).encode()
        self.columns = columns_config()
        self.set({})

    def set(self, wanted: dict) -> None:
        """Change the settings and empty the log; those not named go back to their defaults."""
        with self.lock:
            self.latency = wanted.get("latency", 0.0)
            self.page_size, self.cap = wanted.get("page_size", 50_000), wanted.get("cap")
            self.extra, self.replies = wanted.get("products", {}), wanted.get("replies", {})
            self.faults = [
                {"times": math.inf, "every": 1, **fault, "met": 0}
                for fault in wanted.get("faults", ())
            ]
            self.log: list[dict] = []

    def fault(self, what: str) -> dict | None:
        with self.lock:
            for fault in self.faults:
                if fault["on"] in what and fault["times"] > 0:
                    fault["met"] += 1
                    if fault["met"] % fault["every"] == 0:
                        fault["times"] -= 1
                        return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the game."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn
    entry: dict

    def log_message(self, format: str, *args: object) -> None:
        return None

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        if url.path == "/standin/set":
            self.server.set(json.loads(body))
            return self.reply(b"{}")
        if url.path == "/standin/log":
            return self.reply(json.dumps(self.server.log).encode())

        what, make = self.route(url.path, parse_qs(url.query), body)
        entry = {
            "time": time.time(),
            "method": self.command,
            "what": what,
            "agent": self.headers.get("User-Agent", ""),
            "over": False,
            "sent": 0,
            "cookie": self.headers.get("Cookie", ""),
            "host": self.headers.get("Host", ""),
        }
        with self.server.lock:
            self.server.log.append(entry)

        time.sleep(self.server.latency)
        fault = self.server.fault(f"{self.command} {what}")
        if fault is not None:
            entry["fault"], self.entry = fault["do"], entry
            getattr(self, "fault_" + fault["do"])(fault, make)
        else:
            self.reply(*make())
        entry["over"] = True

    def route(self, path: str, query: dict, body: bytes):  # type: ignore[no-untyped-def]
        """A description of the request for faults and the log, and a function for the reply."""
        if path.endswith("/columnsconfig"):
            return "columnsconfig", lambda: (self.server.columns if b"Cone" in body else b"{}",)
        if path.endswith("/api/v0/invoke"):
            request = json.loads(unquote(body.decode()).removeprefix("request="))
            what = f"invoke {request['service']} {json.dumps(request['params'])}"
            return what, lambda: (json.dumps(self.invoke(request)).encode(),)
        if path.endswith("/api/v0.1/Download/file"):
            uri = query["uri"][0]
            return f"file {uri}", lambda: self.file(uri)
        if path == "/abstracts.cat":
            return "abstracts.cat", lambda: (self.server.catalogue, "text/plain")
        if path == "/Santa-war/query":
            place = {"ra": 13.0, "decl": -19.5, "canonicalName": "NGC 15001", "resolver": "NED"}
            found = [place] if "NGC" in query["name"][0] else []
            reply = json.dumps({"resolvedCoordinate": found}).encode()
            return f"resolve {query}", lambda: (reply,)
        return path, lambda: (b"not found", "text/plain", 404)

    def invoke(self, request: dict) -> dict:
        params, content = request["params"], self.server.content
        if request["service"] in self.server.replies:
            return json.loads((RECORDED / self.server.replies[request["service"]]).read_text())
        if request["service"] == "Mast.Caom.Products":
            obsids = params["obsid"].split(",")
            extra = (row for obsid in obsids for row in self.server.extra.get(obsid, ()))
            rows, fields = [*content.rows_of(obsids), *extra], PRODUCT_FIELDS
        else:
            rows, fields = [row for row in content.observations if meets(row, params)], FIELDS

        size = min(request["pagesize"], self.server.page_size)
        rows = rows[: self.server.cap] if self.server.cap else rows
        page, pages = request["page"], max(1, math.ceil(len(rows) / size))
        shown = rows[(page - 1) * size : page * size]
        return {
            "status": "COMPLETE",
            "msg": "",
            "data": shown,
            "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
            "paging": {
                "page": page,
                "pageSize": size,
                "pagesFiltered": pages,
                "rows": len(shown),
                "rowsFiltered": len(rows),
                "rowsTotal": len(rows),
            },
        }

    def file(self, uri: str) -> tuple:
        if uri.endswith(".jpg"):
            return self.server.content.jpeg(uri), "image/jpeg"
        if uri.endswith(".fits"):
            return fits(uri), "application/fits"
        return b"not found", "text/plain", 404

    def reply(
        self,
        body: bytes,
        kind: str = "application/json",
        status: int = 200,
        headers: dict | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fault_status(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.reply(b"try later", "text/plain", fault["status"], fault.get("headers"))

    def fault_reset(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        body = make()[0]
        self.reply(body[: len(body) // 2], length=len(body))
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # At once: `close` would wait for the file objects of the socket.
        os.close(self.connection.detach())

    def fault_short(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        body = make()[0]
        self.reply(body[: len(body) // 2], length=len(body))
        self.close_connection = True

    def fault_unmeasured(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        """Send half a body without a length: it ends with the connection."""
        body = make()[0]
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body[: len(body) // 2])
        self.close_connection = True

    def fault_html(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.reply(HTML, "text/html")

    def fault_half(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        """Send half a body with a length that calls it whole."""
        body, *rest = make()
        self.reply(body[: len(body) // 2], *rest)

    def fault_executing(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.reply(b'{"status": "EXECUTING"}')

    def fault_error(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        error = {"status": "ERROR", "msg": "Cannot open database: login failed"}
        self.reply(json.dumps({**error, "data": [], "fields": []}).encode())

    def fault_silent(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        time.sleep(fault.get("seconds", 30))
        self.close_connection = True

    def fault_huge(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.reply(make()[0], "image/jpeg", length=2_000_000_000)
        self.close_connection = True

    def fault_endless(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\xff\xd8\xff")
        self.close_connection = True
        for _ in range(2000):
            self.wfile.write(bytes(2**20))

    def fault_redirect(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        self.reply(b"", "text/plain", 302, {"Location": fault["to"] + self.path})

    def fault_loris(self, fault: dict, make) -> None:  # type: ignore[no-untyped-def]
        body = make()[0]
        self.reply(b"", "image/jpeg", length=len(body))
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            self.wfile.flush()
            self.entry["sent"] = place + 1
            time.sleep(fault.get("seconds", 0.1))


def meets(row: dict, params: dict) -> bool:
    """Whether a row passes the filters of a query and lies in its circle."""
    for wanted in params["filters"]:
        value = row[wanted["paramName"]]
        ranges = [choice for choice in wanted["values"] if isinstance(choice, dict)]
        if ranges and not any(choice["min"] <= value <= choice["max"] for choice in ranges):
            return False
        plain = [choice for choice in wanted["values"] if not isinstance(choice, dict)]
        start = wanted.get("freeText", "\0").removesuffix("%")
        if not ranges and str(value) not in plain and not str(value).startswith(start):
            return False

    if "position" not in params:
        return True
    ra, dec, radius = map(float, params["position"].split(","))
    across = ((row["s_ra"] - ra + 180) % 360 - 180) * math.cos(math.radians(dec))
    return math.hypot(across, row["s_dec"] - dec) <= radius


def columns_config() -> bytes:
    """The recorded reply that ships with astroquery, with a column that MAST has added since."""
    recorded = json.loads((RECORDED / "columnsconfig.json").read_text())
    return json.dumps({"provenance_name": {"vot.datatype": "char"}, **recorded}).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("hst", 12), ("jwst", 4), ("previews", 5), ("side", 96), ("port", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    server = StandIn(Content(given.hst, given.jwst, given.previews, given.side), given.port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
