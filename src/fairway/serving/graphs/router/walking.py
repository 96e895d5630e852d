"""Goes through the graph for one request, as KServe's router does.

The answer of the last step is not held: it is passed on as it comes, also where it streams. A step that may fail (Soft)
has an answer like any other; one that may not (Hard) ends its node with its own answer and status. Where the graph
itself has no way on, that ends the whole walk.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from fairway.serving.graphs.router import chaining, merging, steps
from fairway.serving.graphs.router.chaining import Payload
from fairway.serving.graphs.router.plan import Node, Plan, Step
from fairway.serving.graphs.router.steps import Outcome, Steps

NO_MATCH = "None of the routes matched with the switch condition"


class Walk:
    """One request: `headers` are those that go to every step."""

    def __init__(self, plan: Plan, services: Steps, headers: Mapping[str, str]) -> None:
        self._plan, self._services, self._headers = plan, services, headers

    async def node(self, name: str, request: Payload, *, streams: bool) -> Outcome:
        node = self._plan.nodes.get(name)
        if node is None:
            return steps.failed(500, f"The graph has no node {name}.", final=True)
        match node.type:
            case "Sequence":
                return await self._sequence(node, request, streams=streams)
            case "Splitter":
                return await self._step(_drawn(node), request, streams=streams)
            case "Switch":
                return await self._switch(node, request, streams=streams)
            case "Ensemble":
                return await self._ensemble(node, request)
        return steps.failed(500, f"The node {name} has the type {node.type}, which there is not.", final=True)

    async def _step(self, step: Step, request: Payload, *, streams: bool) -> Outcome:
        if step.node:
            return await self.node(step.node, request, streams=streams)
        return await self._services.ask(step, request, self._headers, streams=streams)

    async def _sequence(self, node: Node, request: Payload, *, streams: bool) -> Outcome:
        outcome = Outcome(200)
        for number, step in enumerate(node.steps):
            given = outcome.payload if step.takes_answer and number else request
            if step.renames:
                given = chaining.renamed(given)
            if step.condition:
                try:
                    document = outcome.payload.document()
                except ValueError:
                    return steps.failed(
                        500, f"The answer before the step {step.name or number} is not JSON.", final=True
                    )
                if not step.condition.leads_somewhere(document):
                    return Outcome(200, outcome.payload, outcome.headers)
            last = number == len(node.steps) - 1
            outcome = await self._step(step, given, streams=streams and last)
            if outcome.final or (step.hard and not outcome.fine):
                return outcome
        return outcome

    async def _switch(self, node: Node, request: Payload, *, streams: bool) -> Outcome:
        step = _chosen(node, request)
        if step is None:
            return steps.failed(404, NO_MATCH, final=True)
        return await self._step(step, request, streams=streams)

    async def _ensemble(self, node: Node, request: Payload) -> Outcome:
        """All at once. The first Hard step that failed, in the order of the steps, is the answer."""
        tasks = [asyncio.ensure_future(self._step(step, request, streams=False)) for step in node.steps]
        try:
            answers: dict[str, Any] = {}
            merged = []
            for number, (step, task) in enumerate(zip(node.steps, tasks, strict=True)):
                outcome = await task
                if outcome.final or (step.hard and not outcome.fine):
                    return outcome
                key = step.name or str(number)
                try:
                    answers[key] = outcome.payload.document()
                except ValueError:
                    return steps.failed(500, f"The step {key} answered with {outcome.status} and no JSON.", final=True)
                if outcome.fine:
                    merged.append(answers[key])
        finally:
            for task in tasks:
                task.cancel()
        return _merged(node.merge, merged) if node.merge else _together(answers)


def _together(answers: Mapping[str, Any]) -> Outcome:
    told = chaining.of_document(answers)
    return Outcome(200, told, told.headers)


def _merged(way: str, answers: list[Any]) -> Outcome:
    try:
        told = chaining.of_document(merging.merge(way, answers))
    except merging.CannotMerge as reason:
        return steps.failed(500, f"The answers cannot be merged: {reason}.", final=True)
    return Outcome(200, told, told.headers)


def _drawn(node: Node) -> Step:
    """By weight; no secret hangs on the choice."""
    return random.choices(node.steps, [step.weight for step in node.steps])[0]  # noqa: S311


def _chosen(node: Node, request: Payload) -> Step | None:
    default = next((step for step in node.steps if step.default), None)
    try:
        document = request.document()
    except ValueError:
        return default
    fitting = (step for step in node.steps if step.condition and step.condition.leads_somewhere(document))
    return next(fitting, default)
