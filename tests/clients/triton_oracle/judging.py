"""Asks both the same, and says whether they answered the same."""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.clients.triton_oracle.places import Both
from tests.clients.triton_oracle.questions import Question


@dataclass(frozen=True)
class Seen:
    """A status, what of the document is compared, and the raw tensors after it."""

    status: int
    document: Any
    raw: bytes = b""

    @property
    def refused(self) -> bool:
        return self.status >= 400

    def __str__(self) -> str:
        raw = f" and {len(self.raw)} bytes" if self.raw else ""
        return f"{self.status}: {json.dumps(self.document, default=str)}{raw}"


@dataclass(frozen=True)
class Verdict:
    question: str
    ours: Seen
    tritons: Seen

    @property
    def same(self) -> bool:
        """Two refusals are the same where their statuses and the shape of their documents are."""
        if self.ours.refused and self.tritons.refused:
            return self.ours.status == self.tritons.status and _shape(self.ours) == _shape(self.tritons)
        return (self.ours.status, _rounded(self.ours.document), self.ours.raw) == (
            self.tritons.status,
            _rounded(self.tritons.document),
            self.tritons.raw,
        )


def judge(questions: Sequence[Question], both: Both, python: str) -> list[Verdict]:
    """By the clients of `session` first, as the questions leave their traces in the repository."""
    ours, tritons = (_by_clients(python, *ports) for ports in (both.ours, both.tritons))
    by_clients = [Verdict(name, Seen(200, ours[name]), Seen(200, tritons[name])) for name in ours]
    asked = [Verdict(one.name, _asked(one, both.ours[0]), _asked(one, both.tritons[0])) for one in questions]
    return [*asked, *by_clients]


def _by_clients(python: str, http: int, grpc: int) -> dict[str, Any]:
    program = Path(__file__).with_name("session.py")
    done = subprocess.run([python, str(program), str(http), str(grpc)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Triton's client failed: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _asked(question: Question, port: int) -> Seen:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    method = question.method or ("GET" if question.body is None else "POST")
    headers = {"Content-Type": "application/json", **question.headers}
    connection.request(method, question.path, question.body, {key: value for key, value in headers.items() if value})
    answer = connection.getresponse()
    body = _unpacked(answer.read(), answer.getheader("Content-Encoding") or "")
    length = answer.getheader("Inference-Header-Content-Length")
    connection.close()
    head, raw = (body, b"") if length is None else (body[: int(length)], body[int(length) :])
    document = _read(head)
    return Seen(answer.status, document if answer.status >= 400 else question.look(document), raw)


def _unpacked(body: bytes, encoding: str) -> bytes:
    return {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(encoding, bytes)(body)


def _read(head: bytes) -> Any:
    try:
        return json.loads(head) if head else None
    except ValueError:
        return head.decode(errors="replace")


def _rounded(document: Any) -> Any:
    """FP32 with the precision that it has: Triton writes more digits than there are."""
    if not isinstance(document, dict) or not isinstance(document.get("outputs"), list):
        return document
    outputs = [
        output | {"data": np.float32(output["data"]).tolist()}
        if output["datatype"] == "FP32" and "data" in output else output
        for output in document["outputs"]
    ]  # fmt: skip
    return document | {"outputs": outputs}


def _shape(seen: Seen) -> Any:
    return (
        {key: type(value).__name__ for key, value in seen.document.items()} if isinstance(seen.document, dict) else None
    )
