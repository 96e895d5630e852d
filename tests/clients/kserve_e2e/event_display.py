"""A stand-in for the image that prints the events it gets: `ce-` headers and the body, on standard output."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Display(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        told = {name.lower(): value for name, value in self.headers.items() if name.lower().startswith("ce-")}
        print(told, body.decode(errors="replace"), flush=True)
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Events are the log."""


if __name__ == "__main__":
    address = os.environ.get("FAIRWAY_POD_IP") or "127.0.0.1"
    print(f"waiting for events on {address}:8080", file=sys.stderr, flush=True)
    ThreadingHTTPServer((address, 8080), Display).serve_forever()
