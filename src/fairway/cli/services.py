"""`fairway services`: the models that are served: list, deploy, delete."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from fairway.cli import connection, printing
from fairway.cli.nouns import Answer, Noun, Verb
from fairway.cli.verbs import Failure
from fairway.pipelines.sdk import Server
from fairway.serving import sdk


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", "-n", default="", metavar="N", help="only those of this namespace")


def _list(_: Server, options: argparse.Namespace) -> Answer:
    found = sdk.services(namespace=options.namespace, kubeconfig_file=_kubeconfig(options))
    rows = (
        (
            one.name,
            one.namespace,
            printing.state("SUCCEEDED" if one.ready else "RUNNING"),
            one.format,
            one.url,
            one.reason,
        )
        for one in found
    )
    nothing = "no services; deploy a model with `fairway services deploy NAME PLACE`"
    columns = ("service", "namespace", "ready", "format", "address", "reason")
    return Answer([asdict(one) for one in found], printing.table(columns, rows, nothing))


def _deploy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("place", metavar="PLACE", help="a path, or s3://, gs://, https://, hf://, pvc://")
    parser.add_argument("--format", default="", metavar="F", help="sklearn, xgboost, onnx, ...; told by the files")
    parser.add_argument("--namespace", "-n", default="default", metavar="N")
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="at least so many; 0 sleeps without requests"
    )
    parser.add_argument("--timeout", type=float, default=120.0, metavar="S", help="seconds to wait until it answers")


def _deploy(_: Server, options: argparse.Namespace) -> Answer:
    try:
        made = sdk.deploy(
            options.name,
            options.place,
            format=options.format,
            namespace=options.namespace,
            kubeconfig_file=_kubeconfig(options),
            timeout=options.timeout,
            minReplicas=options.replicas,
        )
    except sdk.ServingError as problem:
        raise Failure(str(problem)) from problem
    return Answer({"name": made.name, "url": made.url}, f"{made.name} answers at {made.url}")


def _delete_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--namespace", "-n", default="default", metavar="N")


def _delete(_: Server, options: argparse.Namespace) -> Answer:
    if not sdk.delete(options.name, namespace=options.namespace, kubeconfig_file=_kubeconfig(options)):
        raise Failure(f"there is no service {options.name} in {options.namespace}: see `fairway services`")
    return Answer({"name": options.name}, f"service {options.name} is deleted")


def _kubeconfig(options: argparse.Namespace) -> str:
    return str(connection.need(options.data_dir).kubeconfig)


NOUN = Noun(
    {
        "list": Verb("the services, whether they answer, and why not", _list, _list_arguments),
        "deploy": Verb(
            "serve a model, and wait until it answers",
            _deploy,
            _deploy_arguments,
            "fairway services deploy iris iris.onnx",
        ),
        "delete": Verb("end a service", _delete, _delete_arguments),
    }
)
