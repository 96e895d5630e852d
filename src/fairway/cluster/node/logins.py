"""What a container engine is given to log in with at registries: the pod's imagePullSecrets, put together.

Both kinds of such Secrets become one document, as the engines' own file has it. A Secret that is not there, or is none
of the two, counts for nothing: the pull is tried without it, as a kubelet does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any

from fairway.cluster.node.variables import Fetch
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import SECRET, SERVICE_ACCOUNT, Object

_KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}


async def of(pod: Object, fetch: Fetch) -> str:
    """The document, empty where the pod names no Secrets; its service account's count as well."""
    spec, namespace = pod["spec"], meta.namespace(pod)
    named = list(spec.get("imagePullSecrets") or ())
    if not named:
        account = await fetch(SERVICE_ACCOUNT, spec.get("serviceAccountName") or "default", namespace)
        named = list((account or {}).get("imagePullSecrets") or ())
    secrets = [await fetch(SECRET, each["name"], namespace) for each in named if each.get("name")]
    auths = together(secret for secret in secrets if secret)
    return json.dumps({"auths": auths}) if auths else ""


def together(secrets: Iterable[Object]) -> dict[str, Any]:
    """Registry to login. The first that is named wins."""
    result: dict[str, Any] = {}
    for secret in secrets:
        key = _KEYS.get(secret.get("type") or "", "")
        try:
            document = json.loads(base64.b64decode((secret.get("data") or {}).get(key) or ""))
        except (ValueError, binascii.Error):
            continue
        found = document.get("auths") if key == ".dockerconfigjson" and isinstance(document, dict) else document
        for registry, login in (found if isinstance(found, dict) else {}).items():
            result.setdefault(registry, login)
    return result
