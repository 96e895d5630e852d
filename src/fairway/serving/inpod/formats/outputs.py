"""What the one answer of a model of tables is called: as KServe's servers have it, or as MLServer has it.

KServe gives `output-0` as the model made it. MLServer gives `predict`, a column where the model made a row; its runtime
`kserve-mlserver` is asked for by people who have clients for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.serving.inpod.formats import settings
from fairway.serving.inpod.model import Array, Tensor


@dataclass(frozen=True, slots=True)
class Naming:
    """`column`: n answers have the shape [n, 1] and not [n]."""

    output: str = "output-0"
    column: bool = False

    def named(self, answer: Array) -> dict[str, Array]:
        return {self.output: answer.reshape(-1, 1) if self.column and answer.ndim == 1 else answer}

    def declared(self, datatype: str, shape: tuple[int, ...]) -> Tensor:
        return Tensor(self.output, datatype, (*shape, 1) if self.column and len(shape) == 1 else shape)


def naming(options: Mapping[str, str], *, of_mlserver: str = "predict") -> Naming:
    return Naming(of_mlserver, column=True) if settings.as_mlserver(options) else Naming()
