"""APIServices: what is wrong with one, in upstream's words; and what this server answers stays with this server."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from cryptography import x509

from fairway.cluster.api.aggregation import priorities
from fairway.cluster.api.checks import causes
from fairway.cluster.api.objectmeta import SUBDOMAIN_TEXT
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_VERSION = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_BOUNDS = {"groupPriorityMinimum": 20000, "versionPriority": 1000}


def problems(service: Object) -> Iterator[Cause]:
    spec, name = service["spec"], service["metadata"].get("name") or ""
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    if name != f"{version}.{group}":
        yield causes.invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{version}.{group}"')
    if not group and version != "v1":
        yield causes.required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    if group and not names.dns_subdomain(group):
        yield causes.invalid("spec.group", group, SUBDOMAIN_TEXT)
    if not _VERSION.fullmatch(version):
        yield causes.invalid("spec.version", version, _VERSION_TEXT)
    for field, most in _BOUNDS.items():
        number = int(spec.get(field) or 0)
        if not 0 < number <= most:
            yield causes.invalid(f"spec.{field}", number, f"must be positive and less than {most}")
    yield from _trust(spec) if spec.get("service") else _local(spec)


def _local(spec: Object) -> Iterator[Cause]:
    if bundle := spec.get("caBundle"):
        yield causes.invalid("spec.caBundle", f"{len(bundle)} bytes", "local APIServices may not have a caBundle")
    if spec.get("insecureSkipTLSVerify"):
        text = "local APIServices may not have insecureSkipTLSVerify"
        yield causes.invalid("spec.insecureSkipTLSVerify", True, text)


def _trust(spec: Object) -> Iterator[Cause]:
    service, group = spec["service"], str(spec.get("group") or "")
    if priorities.is_built_in(group):
        text = f'this server answers the group "{group}" itself: choose one of your own'
        yield causes.forbidden("spec.service", text)
    for field in ("namespace", "name"):
        if not service.get(field):
            yield causes.required(f"spec.service.{field}")
    port = service.get("port")
    if port is not None and not 1 <= int(port) <= 65535:
        yield causes.invalid("spec.service.port", port, "must be between 1 and 65535, inclusive")
    if not spec.get("caBundle"):
        return
    if spec.get("insecureSkipTLSVerify"):
        yield causes.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")
    try:
        x509.load_pem_x509_certificates(base64.b64decode(spec["caBundle"], validate=True))
    except (binascii.Error, ValueError):
        # Upstream takes it, and then answers each request with an error.
        yield causes.invalid("spec.caBundle", "", "unable to load root certificates: no certificate in PEM")
