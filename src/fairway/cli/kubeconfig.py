"""`fairway kubeconfig`: print the path of a kubeconfig that kubectl and the Kubernetes clients use as it is."""

from __future__ import annotations

import argparse

from fairway.cli import connection


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = 'example: kubectl --kubeconfig "$(fairway kubeconfig)" get pods'


def run(options: argparse.Namespace) -> int:
    print(connection.need(options.data_dir).kubeconfig)
    return 0
