"""An event loop for what users wrote, in a thread of its own.

A coroutine of a user's that computes blocks its loop; so it gets one of its own, and the server's stays free to answer
health and to take requests. Coroutines, streams and asynchronous clients of one program all live on this one loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


class OwnLoop:
    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"loop-{name}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine there and wait for it here; when the waiting is cancelled, so is the work."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self.loop))

    def wait(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The same from a thread that may block."""
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result()

    async def iterate(self, source: AsyncIterator[T]) -> AsyncIterator[T]:
        """Take what an iterator of that loop gives. Whoever stops early closes it there."""

        async def step() -> Any:
            return await anext(source, _END)

        async def close() -> None:
            if hasattr(source, "aclose"):
                await source.aclose()

        try:
            while (item := await self.call(step)) is not _END:
                yield item
        finally:
            with suppress(RuntimeError):  # the loop has ended, and the iterator with it
                asyncio.run_coroutine_threadsafe(close(), self.loop)

    def close(self) -> None:
        """Cancel what is still at work and end the thread."""
        if self.running:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout=5)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            with suppress(Exception):
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
                self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()


async def in_thread(work: Callable[[], T]) -> T:
    """A step that may block, beside the loop."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def settled(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
