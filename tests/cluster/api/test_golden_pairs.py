"""What a real API server answered to requests whose answers may be doubted, and what ours answers.

Where ours differs on purpose, `DIFFERS` has the reason; a reason for what does not differ any more is an error.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import orjson
import pytest

from tests.cluster.api.golden.answers import FILE, played, read
from tests.cluster.api.golden.scenes import SCENES, Ask
from tests.cluster.api.world import World

RECORDED = json.loads(FILE.read_text())
NEWER, WORDS, SAYS_MORE = "later releases do as ours", "later releases say it in these words", "ours says what to do"
ITEMS = "the items of our lists say what they are"
DIFFERS: dict[tuple[str, int], str] = {
    ("what is there", 7): "a real server answers an unknown group as text; ours always with a Status",
    ("what is there", 8): "ours names the resource in the details",
    ("names", 5): NEWER,
    ("names", 7): "a real server calls it an error of its own (500)",
    ("bodies", 0): SAYS_MORE,
    ("bodies", 1): SAYS_MORE,
    ("bodies", 3): SAYS_MORE,
    ("bodies", 4): SAYS_MORE,
    ("bodies", 6): SAYS_MORE,
    ("bodies", 11): "the same precondition, without how a real server stores it",
    ("defaults of a pod", 3): WORDS,
    ("defaults of a pod", 5): "a test without a node has nobody who keeps logs",
    (
        "defaults of a pod",
        6,
    ): "a real server lets a write of a pod's status change its labels; ours leaves all but the status",
    ("defaults of a pod", 7): "the labels of the difference above",
    ("defaults of a pod", 9): SAYS_MORE,
    ("pods that cannot be", 7): WORDS,
    ("pods that cannot be", 8): "later releases take any name of a variable that has no equals sign",
    ("workloads", 1): WORDS,
    ("workloads", 6): "ours checks the change of an object once the object itself is right",
    ("workloads", 10): NEWER,
    ("services and secrets", 0): NEWER,
    ("services and secrets", 2): "the port that follows from the wrong one is not named again",
    (
        "services and secrets",
        6,
    ): "ours says which key of a Secret is no base64, with 422; a real server cannot read it (400)",
    ("ends", 2): "a real server says the same twice",
    ("ends", 6): "the same, in the words that a real server has for the other verbs",
    ("ends", 8): WORDS,
    ("lists", 3): ITEMS,
    ("lists", 4): ITEMS,
    ("lists", 7): SAYS_MORE,
    ("lists", 9): "a real server calls it an error of its own (500)",
    ("lists", 10): ITEMS,
    ("lists", 11): "counts of pods are numbers in our columns",
    ("lists", 12): NEWER,
    ("lists", 13): NEWER,
    ("lists", 15): SAYS_MORE,
}


@pytest.mark.parametrize(("number", "name"), list(enumerate(SCENES)), ids=list(SCENES))
async def test_the_answers_are_those_of_a_real_server(world: World, number: int, name: str) -> None:
    async def send(ask: Ask) -> tuple[int, Any]:
        headers = {"Content-Type": ask.media, "Accept": ask.accept}
        data = None if ask.body is None else orjson.dumps(ask.body)
        code, _, body = await world.raw(ask.method, ask.path, headers=headers, data=data)
        return code, read(body)

    asks, recorded = SCENES[name], RECORDED["scenes"][name]
    assert len(recorded) == len(asks), "record the scenes again"
    found = await played(send, number, asks)
    wrong = [
        (index, asks[index].method, urllib.parse.unquote(asks[index].path), ours, theirs)
        for index, (ours, theirs) in enumerate(zip(found, recorded, strict=True))
        if (ours != theirs) is not ((name, index) in DIFFERS)
    ]
    assert not wrong, wrong[0]
