"""`fairway stop`: end the platform and its pods. Records, artifacts and objects stay in the data directory."""

from __future__ import annotations

import argparse
import os
import signal
import time

from fairway.cli import connection
from fairway.cli.verbs import Failure


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait (default: 60)")


def run(options: argparse.Namespace) -> int:
    folder = connection.data_dir(options.data_dir)
    server = connection.find(folder)
    if server is None:
        print(f"nothing runs on {folder}")
        return 0
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + options.timeout
    while server.alive():
        if time.monotonic() > deadline:
            raise Failure(f"process {server.pid} has not ended in {options.timeout:.0f} s: see {folder / 'server.log'}")
        time.sleep(0.02)
    print(f"stopped; everything is kept in {folder}")
    return 0
