"""Loading and unloading while the server runs: what V2's repository calls ask for.

`Change` is what `routes` and `rpc` call. With one process it is `Changes` itself; with several, `processes` tells
each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad
from fairway.serving.inpod.places import Brings, Loader, Places
from fairway.serving.inpod.repository import Repository

Change = Callable[[str, str, str], Awaitable[None]]
"""(load or unload, the model's name, its format or nothing). Raises Refusal."""


class Changes:
    """In this process. `places` is None where the models were given by the program that started the server, which may
    bring more."""

    def __init__(self, repository: Repository, places: Places | None, more: Brings | None = None) -> None:
        self._repository, self._places, self._more = repository, places, more

    async def __call__(self, verb: str, name: str, format: str) -> None:
        if verb == "unload":
            await self._repository.unload(name)
            if self._more:
                await asyncio.to_thread(self._more.take_back, name)
            return
        try:
            await self._repository.load(name, self._loader(name, format))
        except CannotLoad as reason:
            raise Refusal(400, str(reason)) from reason

    def _loader(self, name: str, format: str) -> Loader:
        if self._places and self._places.is_repository():
            loader = self._places.loader(name, format)
            if not (self._places.folder / name).exists():  # a name that anybody may say is not remembered
                raise Refusal(404, f"Model {name!r} is not here, and the repository has no folder of that name.")
            return loader
        if self._more:
            return self._more.bring(name)
        known = self._repository.loader(name)
        if known is None:
            raise Refusal(404, f"Model {name!r} is not here, and this server loads no other.")
        return known
