"""`fairway login`: write what the clients read, so that unmodified code finds the platform. Only when asked.

kfp reads ~/.config/kfp/context.json; kubectl and the Kubernetes clients read the kubeconfig's current
context. What was there before is kept: other entries stay, and `--logout` takes ours away again.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import yaml

from fairway.cli import connection
from fairway.cli.verbs import Failure

_NAME = "fairway"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--logout", action="store_true", help="take away what an earlier login wrote")
    parser.add_argument("--no-kubectl", action="store_true", help="leave the kubeconfig of kubectl alone")


def run(options: argparse.Namespace) -> int:
    kfp_file = Path.home() / ".config" / "kfp" / "context.json"
    kube_file = Path(os.environ.get("KUBECONFIG", "").split(":")[0] or Path.home() / ".kube" / "config")
    if options.logout:
        _write(kfp_file, _without_header(_read_json(kfp_file)))
        if kube_file.exists() and not options.no_kubectl:
            _write_yaml(kube_file, _without_entry(_read_yaml(kube_file)))
        print("logged out: what `fairway login` wrote is gone")
        return 0
    server = connection.need(options.data_dir)
    header = {
        "client_authentication_header_name": "authorization",
        "client_authentication_header_value": f"Bearer {server.token}",
    }
    # kfp takes the presence of a namespace for granted; an empty one lets it ask the server.
    _write(kfp_file, {"namespace": "", **_read_json(kfp_file), **header})
    print(f"kfp: wrote {kfp_file}; kfp.Client(host={server.url!r}) needs no token now")
    if not options.no_kubectl:
        ours = yaml.safe_load(Path(server.kubeconfig).read_text())
        _write_yaml(kube_file, _with_entry(_without_entry(_read_yaml(kube_file)), ours))
        print(f"kubectl: wrote context {_NAME!r} to {kube_file} and made it current")
    print(f"for this shell: export KF_PIPELINES_ENDPOINT={server.url}")
    return 0


def _without_header(context: dict[str, Any]) -> dict[str, Any]:
    ours = str(context.get("client_authentication_header_value", "")).startswith("Bearer ")
    drop = {"client_authentication_header_name", "client_authentication_header_value"} if ours else set()
    return {key: value for key, value in context.items() if key not in drop}


_SECTIONS = ("clusters", "users", "contexts")


def _without_entry(config: dict[str, Any]) -> dict[str, Any]:
    rest = {**config}
    for section in _SECTIONS:
        rest[section] = [entry for entry in config.get(section) or () if entry.get("name") != _NAME]
    if rest.get("current-context") == _NAME:
        rest["current-context"] = rest["contexts"][0]["name"] if rest["contexts"] else ""
    return rest


def _with_entry(config: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    merged = {"apiVersion": "v1", "kind": "Config", **config, "current-context": _NAME}
    for section in _SECTIONS:
        merged[section] = [*merged[section], *ours[section]]
    return merged


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise Failure(f"cannot read {path} ({problem}): mend or remove it, then log in again") from problem
    return found if isinstance(found, dict) else {}


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as problem:
        raise Failure(f"cannot read {path} ({problem}): mend it, or use --no-kubectl") from problem
    return found if isinstance(found, dict) else {}


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    _replace(path, yaml.safe_dump(content))


def _write(path: Path, content: dict[str, Any]) -> None:
    _replace(path, json.dumps(content, indent=2))


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
