"""An identity as Kubernetes writes it down (UserInfo): in reviews, webhooks, requests for certificates, the audit."""

from __future__ import annotations

from fairway.kernel.feature import Identity
from fairway.kernel.objects.kinds import Object


def of(identity: Identity) -> Object:
    found: Object = {"username": identity.user, "groups": list(identity.groups)}
    if identity.uid:
        found["uid"] = identity.uid
    if identity.extra:
        found["extra"] = {key: list(values) for key, values in identity.extra}
    return found
