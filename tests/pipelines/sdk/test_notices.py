"""Somebody is told what happens to runs: here a small web server."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from fairway.pipelines import sdk
from tests.pipelines.sdk import flows
from tests.pipelines.sdk.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")]


class Receiver:
    """What was told to `url`, in the order in which it came."""

    def __init__(self) -> None:
        told: queue.Queue[dict[str, Any]] = queue.Queue()

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Taking)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self._told = told

    def next(self) -> dict[str, Any]:
        return self._told.get(timeout=60)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


def test_a_webhook_is_told_of_runs_that_fail(server: sdk.Server, receiver: Receiver, tmp_path: Path) -> None:
    notice = sdk.notify(on=["failed"], webhook=receiver.url, pipeline="mended")
    assert notice.record()["display_name"] == f"failed to 127.0.0.1:{receiver.server.server_port}"
    assert notice.test()["state"] == "DELIVERED"
    assert receiver.next()["event"] == "TEST"
    sdk.submit(flows.squares, {"n": 1}).wait(timeout=60)
    run = sdk.submit(flows.mended, {"flag": str(tmp_path / "flag")})
    told = receiver.next()
    assert (told["event"], told["run"]["run_id"]) == ("FAILED", run.id)
    assert "the first time it fails" in told["message"]
    assert [one["event"] for one in notice.deliveries()].count("FAILED") == 1
    notice.disable()
    assert notice.record()["status"] == "DISABLED"
    notice.delete()
    with pytest.raises(sdk.Failure, match="either to a webhook's address or to e-mail addresses"):
        sdk.notify(webhook=receiver.url, email=["a@example.com"])
    with pytest.raises(sdk.Failure, match="smtp"):
        sdk.notify(email=["a@example.com"])


def test_the_command_makes_tries_and_removes_notices(fairway: Command, receiver: Receiver) -> None:
    made = fairway("notices", "create", "--on", "succeeded", "--webhook", receiver.url, "--name", "told", "--json")
    assert json.loads(made.out)["notice_id"] == sdk.find_notice("told").id
    assert fairway("notices", "test", "told").out == "delivered\n"
    assert receiver.next()["event"] == "TEST"
    assert "succeeded" in fairway("notices").out
    assert "delivered" in fairway("notices", "deliveries", "told").out
    assert fairway("notices", "disable", "told").code == 0
    assert json.loads(fairway("notices", "list", "--json").out)[0]["status"] == "DISABLED"
    assert fairway("notices", "delete", "told").code == 0
    assert "no notices" in fairway("notices").out
