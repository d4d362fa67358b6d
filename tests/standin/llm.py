"""A stand-in for an OpenAI-compatible server, in a thread of the test.

The abstract itself selects the reply: `FAULT:html` gets a page of HTML, and so on
(`Handler.faulty`). Any other abstract gets a summary of black holes after `latency` seconds, or
what the `product` says (`llm_products`), once the `faults` are used up. The server counts the
requests in flight and keeps all requests; `accepted` are those that the product answered.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.standin.llm_products import SUMMARY, Product, completion
from tests.standin.running import running

__all__ = ["SUMMARY", "LlmStandIn", "llm_standin"]


class LlmStandIn(ThreadingHTTPServer):
    """The server: `takes` lists the kinds of response_format it knows, `key` is required if set."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.latency, self.in_flight, self.most_in_flight = 0.0, 0, 0
        self.models, self.takes = ["stand-in"], ("json_schema", "json_object")
        self.key, self.refused_field, self.refusal = "", "", 400
        self.asked: list[dict] = []
        self.accepted: list[dict] = []
        self.product: Product | None = None
        self.faults: list[str] = []
        self.listing: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def count(self, change: int) -> None:
        with self.lock:
            self.in_flight += change
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the game."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LlmStandIn

    def log_message(self, format: str, *args: object) -> None:
        return None

    def do_GET(self) -> None:
        if self.server.listing is None:
            names = [{"id": name} for name in self.server.models]
            self.send(200, {"object": "list", "data": names})
        else:
            self.reply(200, self.server.listing, "application/json")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.count(1)
        try:
            with self.server.lock:
                self.server.asked.append(asked)
            self.answer(asked)
        finally:
            self.server.count(-1)

    def answer(self, asked: dict) -> None:
        time.sleep(self.server.latency)
        fault = re.search(r"FAULT:(\w+)", asked["messages"][0]["content"])
        form, refused = asked["response_format"]["type"], self.server.refused_field
        if self.server.key and self.headers["Authorization"] != f"Bearer {self.server.key}":
            self.send(401, {"error": {"message": "Incorrect API key provided."}})
        elif self.path != "/v1/chat/completions" or asked["model"] not in self.server.models:
            self.send(404, {"error": {"message": "The model does not exist."}})
        elif form not in self.server.takes or refused in asked:
            message = f"Unsupported: {refused or 'response_format'}"
            self.send(self.server.refusal, {"error": {"message": message}})
        elif fault:
            self.faulty(fault[1])
        elif self.server.faults:
            self.faulty(self.server.faults.pop(0))
        elif self.server.product is not None:
            self.as_product(self.server.product, asked)
        else:
            self.complete(SUMMARY)

    def as_product(self, product: Product, asked: dict) -> None:
        refusal = product.refusal(asked)
        if refusal is not None:
            self.send(*refusal)
            return
        self.server.accepted.append(asked)
        body, kind = product.reply(asked)
        self.reply(200, body, kind)

    def faulty(self, kind: str) -> None:
        if kind == "429":
            self.send(429, {"error": {"message": "Rate limit reached."}}, {"Retry-After": "0"})
        elif kind in ("500", "301"):
            headers = {"Location": "http://localhost:1/"} if kind == "301" else {}
            self.send(int(kind), {"error": {"message": "Something went wrong."}}, headers)
        elif kind == "garbage":
            self.reply(200, b"\x00\xff{[" * 50, "application/json")
        elif kind == "html":
            self.reply(200, b"<!DOCTYPE html><html><body>Please log in.</body></html>", "text/html")
        elif kind == "refusal":
            message = {"content": None, "refusal": "I cannot help with that."}
            self.send(200, {"choices": [{"message": message, "finish_reason": "stop"}]})
        elif kind == "shape":
            self.send(200, {"choices": {"0": None}, "usage": [1]})
        elif kind == "length":
            self.complete(SUMMARY[:40], "length")
        elif kind == "context":
            message = "This model's maximum context length is 4096 tokens."
            self.send(400, {"error": {"message": message}})
        elif kind == "filter":
            message = "The response was filtered due to the prompt triggering our content policy."
            self.send(400, {"error": {"message": message, "code": "content_filter"}})
        elif kind == "quota":
            error = {"message": "You exceeded your current quota.", "code": "insufficient_quota"}
            self.send(429, {"error": error})
        elif kind == "201":
            self.send(201, completion({"content": SUMMARY}))
        elif kind == "json":
            message = "Failed to generate JSON. Please adjust your prompt."
            self.send(400, {"error": {"message": message, "code": "json_validate_failed"}})
        elif kind in ("402", "403", "405", "400"):
            self.send(int(kind), {"error": {"message": f"The words of {kind}."}})
        elif kind == "error200":
            self.send(200, {"error": {"message": "The model is broken."}})
        elif kind == "busy200":
            self.send(200, {"error": {"message": "Overloaded.", "code": 503}})
        elif kind == "none":
            self.send(200, {"object": "chat.completion", "choices": []})
        elif kind == "prose":
            self.complete("I would rather talk about the weather.")
        elif kind == "echo":
            self.send(400, {"error": {"message": f"Not for {self.headers['Authorization']}"}})
        elif kind == "echoes":
            self.echo()
        elif kind == "hangup":
            self.close_connection = True
        elif kind == "endless":
            self.stream(b"x" * 2**16, pause=0.0)
        elif kind == "trickle":
            self.stream(b" ", pause=0.05)

    def echo(self) -> None:
        """The key in an error: escaped, at the end of what is shown, in a page, in an answer."""
        key = self.headers["Authorization"].partition(" ")[2]
        escaped = "".join(f"\\u{ord(sign):04x}" for sign in key)
        far = json.dumps({"error": {"message": "Words. " * 27 + key}})
        bodies = [
            (400, f'{{"error": {{"message": "Not for {escaped}"}}}}'),
            (400, far),
            (200, f"<html>Not for {key}</html>"),
            (200, json.dumps(completion({"content": f"I cannot say {key}."}))),
            (200, f'data: {{"error": {{"message": "Not for {escaped}"}}}}\n\n'),
        ]
        status, text = bodies[len(self.server.asked) % len(bodies)]
        self.reply(status, text.encode(), "application/json")

    def stream(self, block: bytes, pause: float) -> None:
        """Send blocks until the client hangs up."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            time.sleep(pause)

    def complete(self, text: str, reason: str = "stop") -> None:
        self.send(200, completion({"content": text}, reason))

    def send(self, status: int, content: dict, headers: dict[str, str] | None = None) -> None:
        self.reply(status, json.dumps(content).encode(), "application/json", headers)

    def reply(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        own = {"Content-Type": kind, "Content-Length": str(len(body))}
        self.send_response(status)
        for name, value in {**own, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def llm_standin() -> Iterator[LlmStandIn]:
    """A running stand-in."""
    with running(LlmStandIn()) as server:
        yield server
