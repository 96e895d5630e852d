"""`fairway token`: print a bearer token, as kfp.Client(host=..., existing_token=...) and every API accept it."""

from __future__ import annotations

import argparse

from fairway.cli import connection


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = 'example: curl -H "Authorization: Bearer $(fairway token)" http://127.0.0.1:8080/apis/v2beta1/runs'


def run(options: argparse.Namespace) -> int:
    print(connection.need(options.data_dir).token)
    return 0
