"""`fairway tokens`: tokens that open one service, one graph, or a namespace's services, and nothing else.

The owner's own token, which opens everything, is `fairway token`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from fairway.cli import connection, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.cli.verbs import Failure
from fairway.kernel.client.client import Client
from fairway.kernel.client.http import HTTPTransport
from fairway.kernel.clock import SystemClock
from fairway.kernel.objects import errors
from fairway.pipelines import sdk
from fairway.serving import endpoint_tokens
from fairway.serving.endpoint_tokens import EndpointToken

T = TypeVar("T")

_SPAN = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _list(_: sdk.Server, options: argparse.Namespace) -> Answer:
    found = _with_client(options, lambda client: endpoint_tokens.everyone(client, SystemClock()))
    rows = ((one.name, one.namespace, _opens(one), one.ends) for one in found)
    nothing = "no endpoint tokens; make one with `fairway tokens create NAME --service SERVICE`"
    columns = ("token", "namespace", "opens", "ends")
    return Answer([asdict(one) for one in found], printing.table(columns, rows, nothing))


def _create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="by which it is listed and revoked")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--service", metavar="NAME", help="the InferenceService that it opens")
    what.add_argument("--graph", metavar="NAME", help="the InferenceGraph that it opens")
    what.add_argument("--all", action="store_true", help="it opens all services and graphs of the namespace")
    parser.add_argument("--lasts", type=_span, default=timedelta(days=30), help="from 10m to 365d; 30d unless given")
    parser.add_argument("--namespace", "-n", default="default", metavar="N")


def _create(_: sdk.Server, options: argparse.Namespace) -> Answer:
    opens = endpoint_tokens.ALL if options.all else f"graph/{options.graph}" if options.graph else options.service

    async def make(client: Client) -> tuple[EndpointToken, str]:
        clock = SystemClock()
        return await endpoint_tokens.create(client, clock, options.name, options.namespace, [opens], options.lasts)

    made, token = _with_client(options, make)
    # For people too the token alone, so that it can be taken into a variable; it is shown this once.
    return Answer({**asdict(made), "token": token}, token)


def _revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--namespace", "-n", default="default", metavar="N")


def _revoke(_: sdk.Server, options: argparse.Namespace) -> Answer:
    _with_client(options, lambda client: endpoint_tokens.revoke(client, options.name, options.namespace))
    return Answer({"name": options.name}, f"endpoint token {options.name} opens nothing any more")


def _with_client(options: argparse.Namespace, work: Callable[[Client], Awaitable[T]]) -> T:
    kubeconfig = Path(connection.need(options.data_dir).kubeconfig)

    async def session() -> T:
        client = Client(HTTPTransport.from_kubeconfig(kubeconfig))
        try:
            return await work(client)
        finally:
            await client.close()

    try:
        return asyncio.run(session())
    except (endpoint_tokens.Refused, errors.ApiError) as refusal:
        raise Failure(str(refusal)) from refusal


def _opens(one: EndpointToken) -> str:
    return "everything of the namespace" if endpoint_tokens.ALL in one.opens else ", ".join(one.opens)


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 12h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


NOUN = Noun(
    {
        "list": Verb("the endpoint tokens that have not ended", _list),
        "create": Verb(
            "make a token that opens one endpoint; it is shown once",
            _create,
            _create_arguments,
            "fairway tokens create for-anna --service iris --lasts 7d",
        ),
        "revoke": Verb("take a token back, at once", _revoke, _revoke_arguments),
    }
)
