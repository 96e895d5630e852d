"""Brings a server to what is listed: fetches, loads, unloads, removes; each model by itself, again until it works."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from fairway.artifacts import fetching
from fairway.artifacts.failures import CannotFetch
from fairway.serving.models.puller.following import Listed

Tell = Callable[[str, bool, str], Awaitable[None]]
"""(the model, whether it was loaded, why not)."""

_AT_ONCE = 4


class Unloaded(Exception):
    """The server did not load the model; the text is what it said. `final`: it said that it never will."""

    def __init__(self, text: str, *, final: bool) -> None:
        super().__init__(text)
        self.final = final


class Puller:
    """`formats`: the server wants to be told the format of what it loads, which is an extension of ours."""

    def __init__(
        self,
        folder: Path,
        server: str,
        *,
        cache: Path | None,
        credentials: Mapping[str, str],
        mirrors: Sequence[str],
        formats: bool,
        tell: Tell,
    ) -> None:
        self._folder, self._server, self._cache = folder, server.rstrip("/"), cache
        self._credentials, self._mirrors, self._formats, self._tell = credentials, mirrors, formats, tell
        self._here: dict[str, Mapping[str, Any]] = {}
        self._failed: dict[str, Mapping[str, Any]] = {}
        self._limit = asyncio.Semaphore(_AT_ONCE)

    async def bring(self, wanted: Listed) -> bool:
        """One pass over all models. False where something is to be tried again."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=600)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            gone = self._here.keys() - wanted.keys()
            changed = {name: spec for name, spec in wanted.items() if self._here.get(name) != spec}
            await asyncio.gather(*(self._remove(session, name) for name in gone))
            return all(await asyncio.gather(*(self._put(session, *each) for each in changed.items())))

    async def _put(self, session: aiohttp.ClientSession, name: str, spec: Mapping[str, Any]) -> bool:
        if self._failed.get(name) == spec:
            return True
        async with self._limit:
            try:
                await self._fetch(name, spec)
                told = {"parameters": {"model_format": spec.get("framework") or ""}} if self._formats else {}
                await self._ask(session, name, "load", told)
            except CannotFetch as reason:
                await self._tell(name, False, f"The model cannot be fetched: {reason}")
                return False
            except OSError as failure:
                text = f"The model cannot be written to its folder: {failure.strerror or failure}."
                await self._tell(name, False, text)
                return False
            except Unloaded as reason:
                await self._tell(name, False, str(reason))
                if reason.final:
                    self._failed[name] = spec
                return reason.final
        self._here[name] = spec
        self._failed.pop(name, None)
        await self._tell(name, True, "")
        return True

    async def _fetch(self, name: str, spec: Mapping[str, Any]) -> None:
        """Beside its folder first, so that the server never sees half a model."""
        beside, target = self._folder / f".{name}", self._folder / name
        await asyncio.to_thread(shutil.rmtree, beside, ignore_errors=True)
        beside.mkdir(parents=True)
        fetched = await fetching.fetch(
            spec["storageUri"], beside, credentials=self._credentials, cache=self._cache, mirrors=self._mirrors
        )
        await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        beside.rename(target)
        shown = str(spec["storageUri"]).partition("?")[0]
        print(f"Fetched {shown} as {name}: {fetched.files:,} files, {fetched.size:,} bytes", flush=True)

    async def _remove(self, session: aiohttp.ClientSession, name: str) -> None:
        try:
            await self._ask(session, name, "unload", {})
        except Unloaded as reason:
            print(f"{name} was not unloaded: {reason}", flush=True)
        await asyncio.to_thread(shutil.rmtree, self._folder / name, ignore_errors=True)
        del self._here[name]
        print(f"Removed {name}", flush=True)

    async def _ask(self, session: aiohttp.ClientSession, name: str, verb: str, body: Mapping[str, Any]) -> None:
        url = f"{self._server}/v2/repository/models/{quote(name, safe='')}/{verb}"
        try:
            async with session.post(url, json=body) as answer:
                if answer.status < 300:
                    return
                said = (await answer.text())[:2000]
                raise Unloaded(_sentence(said), final=400 <= answer.status < 500)
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise Unloaded(f"The server does not answer: {type(failure).__name__}.", final=False) from failure


def _sentence(said: str) -> str:
    """The error of the V2 protocol, or what was said as it is."""

    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return said or "The server did not load the model, and does not say why."
