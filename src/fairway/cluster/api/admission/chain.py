"""The steps of admission in their order: first all mutating halves, later all validating ones.

Between the two the pipeline checks the schema, so that a validating half sees what will be stored. A step says by
`wants` what concerns it, and costs other writes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from fairway.cluster.api.admission.request import Request


class Step:
    """One rule. Either half raises ApiError to refuse; a half that a step leaves out is not called."""

    def wants(self, request: Request) -> bool:
        """Whether the request concerns the step; asked before each half, and cheap."""
        raise NotImplementedError

    async def mutate(self, request: Request) -> None:
        """Complete the object in place, or refuse at once. It may run again where somebody else wrote meanwhile, or
        where a later step changed the object."""

    async def validate(self, request: Request) -> None:
        """Judge what will be stored. It may run again where somebody else wrote meanwhile."""


class Chain:
    def __init__(self, steps: Iterable[Step] = ()) -> None:
        steps = tuple(steps)
        self._mutating = tuple(step for step in steps if type(step).mutate is not Step.mutate)
        self._validating = tuple(step for step in steps if type(step).validate is not Step.validate)

    async def mutate(self, request: Request) -> None:
        for step in self._mutating:
            if step.wants(request):
                await step.mutate(request)
        if request.begin_again():
            await self.mutate(request)

    async def validate(self, request: Request) -> None:
        """For what stores nothing: connections."""
        for step in self._validating:
            if step.wants(request):
                await step.validate(request)

    @asynccontextmanager
    async def validated(self, request: Request) -> AsyncGenerator[None]:
        """Judge the request; the write happens inside, and whoever counts is told whether it did."""
        stored = False
        try:
            await self.validate(request)
            yield
            stored = not request.dry_run
        finally:
            request.ended(stored=stored)
