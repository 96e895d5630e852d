"""`fairway open`: print an address that logs a browser in once."""

from __future__ import annotations

import argparse

from fairway.cli import connection


def arguments(parser: argparse.ArgumentParser) -> None:
    del parser  # no arguments of its own


def run(options: argparse.Namespace) -> int:
    print(connection.need(options.data_dir).call("POST", "/login/one-time")["url"])
    return 0
