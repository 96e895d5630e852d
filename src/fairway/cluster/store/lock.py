"""One server for one data directory: a lock that the system releases when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from fairway.cluster.store.protocol import StoreFailed


class StoreLocked(Exception):
    """Another process has the store open. `pid` is that process, or 0 where it has not said."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(
            f"{path.parent} is in use by another server (pid {pid or 'unknown'}); "
            "stop it, or choose another data directory"
        )
        self.path, self.pid = path, pid


class Lock:
    def __init__(self, path: Path) -> None:
        """Raises StoreLocked where another process, or another store of this one, holds it."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreFailed(f"cannot write to {path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            written = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise StoreLocked(path, int(written) if written.isdigit() else 0) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        os.close(self._file)
