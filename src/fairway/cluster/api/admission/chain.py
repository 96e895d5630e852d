"""The steps of admission in their order: first all mutating halves, later all validating ones.

Between the two the pipeline checks the schema, so that a validating half sees what will be stored. A step names the
`resources` that it is for and says by `wants` what of them concerns it: other writes it costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fairway.cluster.api.admission.request import Request


class Step:
    """One rule. Either half raises ApiError to refuse; a half that a step leaves out is not called."""

    resources: Collection[str] | None = None
    """plural.group of what the step is for, where it is for few: of others it is not even asked."""

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
        self._mutating = _Order(step for step in steps if type(step).mutate is not Step.mutate)
        self._validating = _Order(step for step in steps if type(step).validate is not Step.validate)

    async def mutate(self, request: Request) -> None:
        for step in self._mutating.of(request.resource):
            if step.wants(request):
                await step.mutate(request)
        if request.begin_again():
            await self.mutate(request)

    async def validate(self, request: Request) -> None:
        """For what stores nothing: connections."""
        for step in self._validating.of(request.resource):
            if step.wants(request):
                await step.validate(request)

    def validated(self, request: Request) -> _Validated:
        """Judge the request; the write happens inside, and whoever counts is told whether it did."""
        return _Validated(self, request)


class _Order:
    """The steps of one half in their order, put down once for each resource that some of them name."""

    def __init__(self, steps: Iterable[Step]) -> None:
        steps = tuple(steps)
        named = {resource for step in steps for resource in step.resources or ()}
        self._named = {
            resource: tuple(step for step in steps if step.resources is None or resource in step.resources)
            for resource in named
        }
        self._others = tuple(step for step in steps if step.resources is None)

    def of(self, resource: str) -> tuple[Step, ...]:
        return self._named.get(resource, self._others)


class _Validated:
    __slots__ = ("_chain", "_request")

    def __init__(self, chain: Chain, request: Request) -> None:
        self._chain, self._request = chain, request

    async def __aenter__(self) -> None:
        try:
            await self._chain.validate(self._request)
        except BaseException:
            self._request.ended(stored=False)
            raise

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._request.ended(stored=failure is None and not self._request.dry_run)
