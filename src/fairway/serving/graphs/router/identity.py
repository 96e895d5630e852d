"""The token of the router's own pod: in the file that Kubernetes gives it, else in the kubeconfig that a node gives it.

Read each time, because it is renewed in its file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def token(environment: Mapping[str, str], account: Path = ACCOUNT_TOKEN) -> str:
    """Empty where there is none."""
    with suppress(OSError):
        return account.read_text().strip()
    with suppress(OSError, ValueError, LookupError, TypeError):
        kubeconfig = json.loads(Path(environment["KUBECONFIG"]).read_text())
        return str(kubeconfig["users"][0]["user"]["token"])
    return ""
