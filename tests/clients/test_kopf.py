"""Operators written with the unmodified `kopf` package, each run as a process of its own against a cluster."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fairway.cluster.api.identity import certificates
from fairway.kernel.client.client import Client
from fairway.kernel.objects import errors
from fairway.kernel.objects.crds import OPEN, CustomKind
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    CRD,
    EVENT,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Kind,
    Object,
)
from tests.clients.house import House

pytest.importorskip("kopf", reason="the kopf package is not installed")

OPERATORS = Path(__file__).parent / "operators"
KETTLE = CustomKind(Kind("example.dev", "v1", "Kettle", "kettles"), {"spec": OPEN, "status": OPEN})
PEERING = CustomKind(Kind("kopf.dev", "v1", "KopfPeering", "kopfpeerings"), {"status": OPEN}, status=False)

pytestmark = pytest.mark.slow


class Yard:
    """A namespace with operators in it."""

    def __init__(self, house: House, namespace: str, folder: Path) -> None:
        self.house, self.namespace, self.folder = house, namespace, folder

    def do(self, what: Callable[[Client], Any]) -> Any:
        """Await `what(client)` where the client lives."""
        return asyncio.run_coroutine_threadsafe(what(self.house.client), self.house.loop).result(40)

    def until(self, kind: Kind, name: str, fits: Callable[[Object], Any], namespace: str | None = "") -> Object:
        where = self.namespace if namespace == "" else namespace

        async def seen(client: Client) -> Object:
            async with asyncio.timeout(60):
                async for event in client.watch(kind, where):
                    if event.object["metadata"]["name"] == name and event.type != "DELETED" and fits(event.object):
                        return event.object
            raise AssertionError("a watch never ends")

        found: Object = self.do(seen)
        return found

    def heard(self, message: str) -> None:
        """Until an Event says it."""

        async def said(client: Client) -> None:
            async with asyncio.timeout(60):
                async for event in client.watch(EVENT, self.namespace):
                    if event.object.get("message") == message:
                        return

        self.do(said)

    def gone(self, kind: Kind, name: str) -> None:
        async def gone(client: Client) -> None:
            async with asyncio.timeout(60):
                since = (await client.list(kind, self.namespace)).revision
                with suppress(errors.NotFound):
                    await client.get(kind, name, self.namespace)
                    async for event in client.watch(kind, self.namespace, since=since):
                        if event.type == "DELETED" and event.object["metadata"]["name"] == name:
                            return

        self.do(gone)

    def kettle(self, name: str, **spec: Any) -> Object:
        made: Object = self.do(
            lambda client: client.create(KETTLE.kind, KETTLE.kind.new(name, self.namespace, spec=spec))
        )
        return made

    @contextmanager
    def operator(self, file: str, *options: str, **environment: str) -> Iterator[Path]:
        """`kopf run` until the block ends; gives the file of its log. It has begun when its log says so."""
        log = self.folder / f"{file}-{len(list(self.folder.glob('*.log')))}.log"
        command = [sys.executable, "-m", "kopf", "run", "--namespace", self.namespace, *options]
        inherited = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}
        with log.open("w") as out:
            process = subprocess.Popen(
                [*command, str(OPERATORS / f"{file}.py")],
                env={**inherited, "KUBECONFIG": str(self.house.kubeconfig), **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                yield log
                assert process.poll() is None, log.read_text()
            finally:
                process.terminate()
                process.wait(20)
                print(log.read_text())


@pytest.fixture
def yard(shared_house: House, namespace: str, tmp_path: Path) -> Yard:
    yard = Yard(shared_house, namespace, tmp_path)
    for kind in (KETTLE, PEERING):
        try:
            yard.do(lambda client, kind=kind: client.create(CRD, kind.definition()))
        except errors.AlreadyExists:
            continue
    return yard


def test_handlers_timers_daemons_and_finalizers(yard: Yard) -> None:
    with yard.operator("kettles", "--standalone"):
        yard.kettle("k", litres=2)
        made = yard.until(KETTLE.kind, "k", lambda one: (one.get("status") or {}).get("made"))
        assert made["status"]["made"] == {"child": "k-water", "tries": 2}
        assert made["status"]["phase"] == "Filled"
        assert made["metadata"]["finalizers"] == ["kettles.example.dev/finalizer"]
        water = yard.do(lambda client: client.get(CONFIG_MAP, "k-water", yard.namespace))
        assert water["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
        spec = {"litres": 3, "on": True, "ticking": True}
        change = {"spec": spec, "metadata": {"labels": {"watched": "yes"}}}
        yard.do(lambda client: client.patch(KETTLE.kind, "k", yard.namespace, change))
        yard.until(CONFIG_MAP, "k-hot", bool)
        done = ("refilled/spec.litres", "seen")
        hot = yard.until(
            KETTLE.kind,
            "k",
            lambda one: all(one["status"].get(key) for key in done) and one["status"].get("ticks", 0) > 1,
        )
        assert hot["status"]["refilled/spec.litres"] == {"from": 2, "to": 3}
        yard.do(lambda client: client.patch(KETTLE.kind, "k", yard.namespace, {"spec": {"on": False}}))
        yard.until(CONFIG_MAP, "k-hot", lambda one: one.get("data"))
        yard.heard("Handler 'made' succeeded.")
        yard.do(lambda client: client.delete(KETTLE.kind, "k", yard.namespace))
        yard.until(CONFIG_MAP, "k-emptied", bool)

        yard.gone(KETTLE.kind, "k")


def test_its_webhooks_judge_and_complete(yard: Yard) -> None:
    keys = yard.folder / "keys"
    certificates.ensure(keys, hosts=("127.0.0.1",))
    name = f"{yard.namespace}.guards.example.dev"
    with yard.operator("guards", "--standalone", GUARD_FOLDER=str(keys), GUARD_NAME=name):
        for kind in (VALIDATING_WEBHOOK_CONFIGURATION, MUTATING_WEBHOOK_CONFIGURATION):
            yard.until(kind, name, lambda one: one.get("webhooks"), namespace=None)
        try:
            made = yard.kettle("small", litres=2)
            assert made["spec"] == {"litres": 2, "colour": "red"}
            with pytest.raises(
                errors.BadRequest, match=r'admission webhook "judged\..*" denied the request: a kettle holds'
            ):
                yard.kettle("large", litres=11)
            path = KETTLE.kind.path(yard.namespace)
            body = KETTLE.kind.new("dry", spec={"litres": 1})
            dry = yard.do(lambda client: client.transport.request("POST", path, query={"dryRun": "All"}, body=body))
            assert dry["spec"]["colour"] == "grey"
        finally:
            yard.do(lambda client: _withdraw(client, name))


async def _withdraw(client: Client, name: str) -> None:
    """The operator leaves its configurations where they are, and other tests have kettles too."""
    for kind in (VALIDATING_WEBHOOK_CONFIGURATION, MUTATING_WEBHOOK_CONFIGURATION):
        await client.patch(kind, name, None, {"webhooks": None})


def test_of_two_peers_the_more_important_one_acts(yard: Yard) -> None:
    yard.do(lambda client: client.create(PEERING.kind, PEERING.kind.new("pair", yard.namespace)))
    with yard.operator("kettles", "--peering", "pair", "--priority", "1") as first:
        yard.until(PEERING.kind, "pair", lambda one: one.get("status"))
        with yard.operator("kettles", "--peering", "pair", "--priority", "100") as second:
            both = yard.until(PEERING.kind, "pair", lambda one: len(one.get("status") or {}) == 2)
            assert {peer["priority"] for peer in both["status"].values()} == {1, 100}
            _wait_for(first, "Pausing operations")
            yard.kettle("k", litres=2)
            yard.until(KETTLE.kind, "k", lambda one: (one.get("status") or {}).get("made"))
            assert "Handler 'made' succeeded" in second.read_text()
            assert "Handler 'made' succeeded" not in first.read_text()
            yard.do(lambda client: client.delete(KETTLE.kind, "k", yard.namespace))
            yard.until(CONFIG_MAP, "k-emptied", bool)
        yard.until(PEERING.kind, "pair", lambda one: len(one.get("status") or {}) == 1)
        _wait_for(first, "Resuming operations")


def _wait_for(log: Path, words: str) -> None:
    async def said() -> None:
        async with asyncio.timeout(60):
            while words not in log.read_text():
                await asyncio.sleep(0.05)

    asyncio.run(said())
