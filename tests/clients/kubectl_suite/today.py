"""Brings a checkout of an old release to the API versions, flags and texts of today.

Release 1.15 is the last one that small repositories carry whole. A server of 1.36 serves hardly any of the API versions
that it asks for, and kubectl of 1.32 has dropped some of its flags; what is asked of the server is the same. Each row
says what upstream wrote in that place later. A present checkout needs none of this.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

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
_NO_ROOT_CERTIFICATES = "--field-selector=metadata.name!=kube-root-ca.crt"

Rows = tuple[tuple[str, str], ...]
_FLAGS: Rows = (
    ("--experimental-server-side", "--server-side"),
    ("--experimental-force-conflicts", "--force-conflicts"),
    ("--experimental-field-manager", "--field-manager"),
    ("--prune-whitelist", "--prune-allowlist"),
    ("--server-dry-run", "--dry-run=server"),
    (r"--dry-run(?![=\w])", "--dry-run=client"),
    (r" --generator=(service/v1|deployment-basic/apps\.v1beta1)", ""),
    # Generators of anything but pods became kinds of `kubectl create`.
    (
        r'kubectl run (\S+) --schedule=("[^"]*") (--namespace=\S+ )?--generator=cronjob/v1beta1 (\S+) '
        r"--restart=OnFailure (--.*?)( \"\$\{kube_flags\[@\]\}\")?$",
        r"kubectl create cronjob \1 --schedule=\2 \3\4 \5",
    ),
    (r"kubectl run pi --generator=job/v1 (\S+) --restart=OnFailure --", r"kubectl create job pi \1 --"),
    (r"kubectl run nginx-(apps|extensions) (\S+)( --generator=\S+)?", r"kubectl create deployment nginx-\1 \2"),
    (r"exec (\S+) date", r"exec \1 -- date"),
    (r'^.*"--export=true".*$', "  true"),
    (" --export", ""),
)
_TEXTS: Rows = (
    ("warning: deleting cluster-scoped", "Warning: deleting cluster-scoped"),
    ("Error loading config file", "error loading config file"),
    ("deployment.apps/test1 created", "pod/test1 created"),
    ("delete deployments test1", "delete pods test1"),
    (r'"singularName":""(?=.*"ConfigMap")', '"singularName":"configmap"'),
    ("cannot be handled as a Namespace: converting (v1.Pod)", "cannot be handled as a Namespace"),
    (r"deployment\.extensions", "deployment.apps"),
    ("/apis/extensions/", "/apis/apps/"),
    (r"'autoscaling/v1'", "'autoscaling/v2'"),
    (r"/apis/autoscaling/v1/", "/apis/autoscaling/v2/"),
    (r"authorization\.k8s\.io/v1beta1", "authorization.k8s.io/v1"),
    (r"http://localhost:8080", "http://127.0.0.1:${API_PORT}"),
    # Each namespace has a ConfigMap since 1.20, and a created Job a command instead of arguments since 1.16.
    (r"(get_object_assert) (configmaps?) ", rf"\1 '\2 {_NO_ROOT_CERTIFICATES}' "),
    (r"(if_has_string \S+ )'2'$", r"\1'10'"),
    (r"my-pi (.*)containers 0\)\.args", r"my-pi \1containers 0).command"),
    (r'"\.spec\.templateGeneration"', '".metadata.generation"'),
    (r'"\.spec\.targetCPUUtilizationPercentage"', '"(index .spec.metrics 0).resource.target.averageUtilization"'),
    # Who is impersonated is authenticated, whatever groups are named.
    (r"(len \.spec\.groups.*)'3'", r"\1'4'"),
    ("(?<=,,,chameleon) '", " system:authenticated '"),
    (r"(frontend-[24]' .*)'default 80'", r"\1'<no value> 80'"),
)
_EXPRESSIONS = tuple((re.compile(old, re.MULTILINE), new) for old, new in (*_VERSIONS, *_FLAGS, *_TEXTS))
_SELECTOR_AT = re.compile(r"^spec:\n", re.MULTILINE)
_DEFINITION = re.compile(r"^\{\n(?:[^\n]*\n)*?\}$", re.MULTILINE)


def brought(root: Path, folder: Path) -> Path:
    """A copy of the checkout, in the folder."""
    copy = folder / "today"
    shutil.copytree(root, copy, symlinks=True)
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
    """A CustomResourceDefinition in its first stable version: a schema for each version, and a structural one."""
    try:
        obj = json.loads(text)
    except ValueError:
        return text
    if obj.get("kind") != "CustomResourceDefinition" or not obj["apiVersion"].endswith("/v1beta1"):
        return text
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
    return json.dumps({**obj, "apiVersion": "apiextensions.k8s.io/v1"}, indent=2)


def _typed(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema or schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("type", "object")
        for inner in schema.values():
            _typed(inner)
