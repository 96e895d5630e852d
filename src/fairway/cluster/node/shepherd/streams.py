"""A new container's streams: the ends that the shepherd keeps, and those that the container gets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass
class Streams:
    """`pipes` are our ends of its output, by what they are; `input` and `terminal` are -1 where there is none."""

    theirs: tuple[int, int, int]
    pipes: dict[int, str]
    input: int = -1
    terminal: int = -1

    def close_theirs(self) -> None:
        for end in set(self.theirs) - {-1}:
            os.close(end)

    def close_ours(self) -> None:
        for end in {*self.pipes, self.input} - {-1}:
            os.close(end)


def opened(request: dict[str, Any]) -> Streams:
    if request.get("terminal"):
        ours, theirs = os.openpty()
        os.set_blocking(ours, False)
        return Streams((theirs,) * 3, {ours: "stdout"}, os.dup(ours), ours)
    (out, out_in), (err, err_in) = os.pipe(), os.pipe()
    input_out, input_ = os.pipe() if request.get("input") else (-1, -1)
    for end in (out, err, input_):
        if end >= 0:
            os.set_blocking(end, False)
    return Streams((input_out, out_in, err_in), {out: "stdout", err: "stderr"}, input_)
