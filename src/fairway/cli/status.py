"""`fairway status`: what runs on a data directory, and how it is. Exit code 3 where nothing runs."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from fairway.cli import connection
from fairway.cli.verbs import Failure

NOT_RUNNING = 3
_ENGINE = "fairway.dev/container-engine"
"""The annotation by which a node of ours says what runs containers, or why nothing does."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for scripts: one JSON object")


def run(options: argparse.Namespace) -> int:
    folder = connection.data_dir(options.data_dir)
    server = connection.find(folder)
    if server is None:
        if options.json:
            print(json.dumps({"running": False, "data_dir": str(folder)}))
        else:
            print(f"nothing runs on {folder}: start it with `fairway up`")
        return NOT_RUNNING
    report = _report(server)
    print(json.dumps(report, indent=2) if options.json else _text(report))
    return 0 if report["ready"] else 1


def _report(server: connection.Server) -> dict[str, Any]:
    report: dict[str, Any] = {
        "running": True,
        "ready": True,
        "url": server.url,
        "api_url": server.api_url,
        "pid": server.pid,
        "version": server.version,
        "data_dir": server.data_dir,
        "kubeconfig": server.kubeconfig,
    }
    try:
        nodes = server.call("GET", "/k8s/api/v1/nodes")["items"]
        pods = server.call("GET", "/k8s/api/v1/pods")["items"]
        services = server.call("GET", "/k8s/apis/serving.kserve.io/v1beta1/inferenceservices")["items"]
        runs = server.call("GET", "/apis/v2beta1/runs?page_size=200").get("runs", [])
    except Failure as problem:
        return {**report, "ready": False, "problem": str(problem)}
    if engines := [told for node in nodes if (told := (node["metadata"].get("annotations") or {}).get(_ENGINE))]:
        report["containers"] = ", ".join(engines)
    report["pods"] = Counter(pod["status"].get("phase", "Unknown") for pod in pods)
    report["runs"] = Counter(run.get("state", "PENDING") for run in runs)
    report["services"] = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": _ready(one) for one in services}
    return report


def _ready(service: dict[str, Any]) -> str:
    for condition in service.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return "ready" if condition["status"] == "True" else condition.get("message") or "not ready"
    return "not ready"


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"Fairway {report['version']} at {report['url']} (process {report['pid']})",
        f"  data      {report['data_dir']}",
        f"  API       {report['api_url']}",
    ]
    if not report["ready"]:
        return "\n".join([*lines, f"  problem   {report['problem']}"])
    if "containers" in report:
        lines.append(f"  engine    {report['containers']}")
    for name in ("runs", "pods"):
        counts = ", ".join(f"{count} {word.lower()}" for word, count in sorted(report[name].items()))
        lines.append(f"  {name:9} {counts or 'none'}")
    for name, state in report["services"].items():
        lines.append(f"  service   {name}: {state}")
    return "\n".join(lines)
