"""Names of the cluster's Services, where there is no DNS that knows them: from the variables that every pod has. Pure.

`NAME.NAMESPACE.svc` of the pod's own namespace is what {NAME}_SERVICE_HOST says; the name of an InferenceService leads
to its predictor. Anything else is left to whoever resolves names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_INSIDE = re.compile(r"([a-z0-9][-a-z0-9]*)\.([a-z0-9][-a-z0-9]*)\.svc(?:\.cluster\.local)?\.?")


def address(host: str, port: int, namespace: str, environment: Mapping[str, str]) -> tuple[str, int]:
    """
    >>> address("sink.ns.svc", 80, "ns", {"SINK_SERVICE_HOST": "127.32.0.9", "SINK_SERVICE_PORT": "80"})
    ('127.32.0.9', 80)
    """
    found = _INSIDE.fullmatch(host.lower())
    if found and found[2] == namespace:
        for name in (found[1], f"{found[1]}-predictor"):
            variable = name.upper().replace("-", "_")
            if known := environment.get(f"{variable}_SERVICE_HOST"):
                return known, port
    return host, port
