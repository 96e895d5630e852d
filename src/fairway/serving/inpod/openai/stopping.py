"""Stop words in text that comes in pieces: what may be the beginning of one is held back until it is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence


class Stopper:
    """Of one choice. After `stopped` nothing more is to be fed."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if word]
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """What may be told now."""
        if not self._words:
            return text
        self._held += text
        found = [at for word in self._words if (at := self._held.find(word)) >= 0]
        if found:
            self.stopped = True
            told, self._held = self._held[: min(found)], ""
            return told
        keep = self._open_end()
        told, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return told

    def rest(self) -> str:
        """What was held back, once nothing more comes."""
        told, self._held = self._held, ""
        return told

    def _open_end(self) -> int:
        """How many of the last characters are the beginning of a stop word."""
        longest = max(map(len, self._words)) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-size:]
            if any(word.startswith(end) for word in self._words):
                return size
        return 0
