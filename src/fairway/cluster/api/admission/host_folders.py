"""Claims whose volume is a folder of this machine: `fairway.dev/host-path` on a claim, or on the template of one.

It is what a hostPath volume of a PersistentVolume is, so it is for those who may create such a volume. Pods that may
not mount folders of the machine themselves (PodSecurity) may use claims, and nobody in their namespace makes these.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, STATEFUL_SET, Object

HOST_PATH = "fairway.dev/host-path"
"""The node has it by the same name; the two rooms do not import each other."""

_JOB_SETS = "jobsets.jobset.x-k8s.io"


class HostFolders(Step):
    resources = (PERSISTENT_VOLUME_CLAIM.resource, STATEFUL_SET.resource, _JOB_SETS)

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def wants(self, request: Request) -> bool:
        written = request.operation in ("CREATE", "UPDATE") and not request.subresource
        return written and MASTERS not in request.call.identity.groups

    async def validate(self, request: Request) -> None:
        if set(_folders(request.object)) <= set(_folders(request.old)):
            return
        attempt = Attempt("create", PERSISTENT_VOLUME.group, PERSISTENT_VOLUME.plural)
        if not self._grants.allowed(request.call.identity, attempt):
            why = (
                f"the annotation {HOST_PATH} makes a folder of this machine a volume, which is for those who may "
                f"create {PERSISTENT_VOLUME.plural}: leave it out, and the claim gets a folder of its own"
            )
            raise errors.forbidden(request.resource, request.call.name, why)


def _folders(obj: Object) -> Iterator[str]:
    for claim in (obj, *_templates(obj.get("spec") or {})):
        folder = ((claim.get("metadata") or {}).get("annotations") or {}).get(HOST_PATH)
        if folder:
            yield str(folder)


def _templates(spec: Object) -> Iterator[Object]:
    """Of the claims that controllers make."""
    holders = [{"templates": spec.get("volumeClaimTemplates")}, *(spec.get("volumeClaimPolicies") or ())]
    for holder in holders:
        for template in holder.get("templates") or () if isinstance(holder, dict) else ():
            if isinstance(template, dict):
                yield template
