"""Brings a checkout of an old release to the API versions, flags and texts of today.

A server of 1.36 does not serve all the API versions that the suite of 1.20 asks for, and a present kubectl has dropped
some of its flags and words; what is asked of the server is the same. Each row says what upstream wrote in that place
later. A present checkout needs none of this.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

READ = ("hack", "test/cmd", "test/fixtures", "test/e2e/testing-manifests", "third_party/forked/shell2junit")
"""Of a checkout, by the suite."""
_DATA = ("hack/testdata", "test/fixtures", "test/e2e/testing-manifests")
_AS_THEY_ARE = ("rbac-v1beta1",)
_WITHOUT_SELECTOR = ("appsv1deployment-no-selectors", "appsv1beta2deployment-no-selectors")
"""What must be refused."""
_VERSIONS = (
    (r"(?<!/apis/)\b(extensions|apps)/v1beta[12]\b", "apps/v1"),
    (r"\bbatch/v(1beta1|2alpha1)\b", "batch/v1"),
    (r"\b(authentication|authorization|certificates|storage)\.k8s\.io/v1beta1\b", r"\1.k8s.io/v1"),
    (r"\bpolicy/v1beta1\b", "policy/v1"),
)
_SELECTING = ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")

Rows = tuple[tuple[str, str], ...]
_FLAGS: Rows = (
    ("--prune-whitelist", "--prune-allowlist"),
    (r"--dry-run(?![=\w])", "--dry-run=client"),
    (r" --generator=service/v1", ""),
    (r"exec (\S+) date", r"exec \1 -- date"),
)
_TEXTS: Rows = (
    ("warning: deleting cluster-scoped", "Warning: deleting cluster-scoped"),
    (r'"singularName":""(?=.*"ConfigMap")', '"singularName":"configmap"'),
    ("/apis/extensions/", "/apis/apps/"),
    (r"'autoscaling/v1'", "'autoscaling/v2'"),
    (r"/apis/autoscaling/v1/", "/apis/autoscaling/v2/"),
    (r"authorization\.k8s\.io/v1beta1", "authorization.k8s.io/v1"),
    (r'"\.spec\.targetCPUUtilizationPercentage"', '"(index .spec.metrics 0).resource.target.averageUtilization"'),
    (r"(frontend-[24]' .*)'default 80'", r"\1'<no value> 80'"),
)
_EXPRESSIONS = tuple((re.compile(old, re.MULTILINE), new) for old, new in (*_VERSIONS, *_FLAGS, *_TEXTS))
_DEFINITIONS = "apiextensions.k8s.io"
_SELECTOR_AT = re.compile(r"^spec:\n", re.MULTILINE)
_DEFINITION = re.compile(r"^\{\n(?:[^\n]*\n)*?\}$", re.MULTILINE)


def brought(root: Path, folder: Path) -> Path:
    """A copy of the checkout, in the folder."""
    copy = folder / "brought"
    for part in READ:
        if (root / part).is_dir():
            shutil.copytree(root / part, copy / part, symlinks=True)
    for file in sorted((copy / "test/cmd").glob("*.sh")):
        _rewrite(file, _shell)
    for part in _DATA:
        for file in sorted((copy / part).rglob("*")):
            if file.suffix in (".json", ".yaml", ".yml") and file.is_file() and file.stem not in _AS_THEY_ARE:
                _rewrite(file, _data if file.stem in _WITHOUT_SELECTOR else lambda text: _selecting(_data(text)))
    return copy


def _rewrite(file: Path, new: Callable[[str], str]) -> None:
    text = file.read_text()
    changed = new(text)
    if changed != text:
        file.write_text(changed)


def _shell(text: str) -> str:
    text = _DEFINITION.sub(lambda found: _definition(found.group()), text)
    for old, new in _EXPRESSIONS:
        text = old.sub(new, text)
    return text


def _data(text: str) -> str:
    if f"{_DEFINITIONS}/v1beta1" in text:
        text = "\n---\n".join(_as_yaml(part) for part in text.split("\n---\n"))
    for old, new in _VERSIONS:
        text = re.sub(old, new, text)
    if "SubjectAccessReview" in text:
        text = text.replace('"group": [', '"groups": [')  # the one field that was renamed
    if "kind: CertificateSigningRequest" in text and "signerName" not in text:
        signer = "  signerName: kubernetes.io/kube-apiserver-client\n  usages: [client auth]\n"
        text = _SELECTOR_AT.sub(f"spec:\n{signer}", text, count=1)
    return text


def _selecting(text: str) -> str:
    """The first versions took the selector from the template's labels."""
    try:
        (obj,) = yaml.safe_load_all(text)
    except (yaml.YAMLError, ValueError):
        return text
    if not isinstance(obj, dict) or obj.get("kind") not in _SELECTING or "selector" in obj["spec"]:
        return text
    obj["spec"]["selector"] = {"matchLabels": obj["spec"]["template"]["metadata"]["labels"]}
    return str(yaml.safe_dump(obj))


def _definition(text: str) -> str:
    try:
        obj = json.loads(text)
    except ValueError:
        return text
    return json.dumps(_stable(obj), indent=2) if _is_old(obj) else text


def _as_yaml(text: str) -> str:
    obj = yaml.safe_load(text)
    return str(yaml.safe_dump(_stable(obj))) if _is_old(obj) else text


def _is_old(obj: Any) -> bool:
    return isinstance(obj, dict) and obj.get("apiVersion") == f"{_DEFINITIONS}/v1beta1"


def _stable(obj: dict[str, Any]) -> dict[str, Any]:
    """A CustomResourceDefinition in its first stable version: a schema for each version, and a structural one."""
    spec = obj["spec"]
    schema = (spec.pop("validation", None) or {}).get("openAPIV3Schema") or {
        "x-kubernetes-preserve-unknown-fields": True
    }
    _typed(schema)
    versions = spec.pop("versions", None) or [{"name": spec["version"], "served": True, "storage": True}]
    spec.pop("version", None)
    columns = [
        {("jsonPath" if key == "JSONPath" else key): value for key, value in column.items()}
        for column in spec.pop("additionalPrinterColumns", ())
    ]
    shared = {"additionalPrinterColumns": columns, "subresources": spec.pop("subresources", None)}
    kept = {key: value for key, value in shared.items() if value}
    spec["versions"] = [{"schema": {"openAPIV3Schema": schema}, **kept, **version} for version in versions]
    return {**obj, "apiVersion": f"{_DEFINITIONS}/v1"}


def _typed(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema or schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("type", "object")
        for inner in schema.values():
            _typed(inner)
