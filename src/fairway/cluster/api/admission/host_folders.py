"""A claim that names a folder of the machine itself (`fairway.dev/host-path`): only Fairway makes such.

It is how a run's workspace is a volume. From anybody else it would be a hostPath that no pod's spec shows, and that no
PodSecurity level sees.
"""

from __future__ import annotations

from fairway.cluster.api.admission.chain import Step
from fairway.cluster.api.admission.request import Request
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM

HOST_PATH = "fairway.dev/host-path"
"""`node.claims` knows it by the same name."""


class HostFolders(Step):
    resources = (PERSISTENT_VOLUME_CLAIM.resource,)

    def wants(self, request: Request) -> bool:
        return request.operation in ("CREATE", "UPDATE") and MASTERS not in request.call.identity.groups

    async def validate(self, request: Request) -> None:
        wanted = meta.annotations(request.object).get(HOST_PATH)
        before = meta.annotations(request.old).get(HOST_PATH) if request.old else None
        if wanted is not None and wanted != before:
            raise errors.Forbidden(
                f'persistentvolumeclaims "{meta.name(request.object)}" is forbidden: the annotation {HOST_PATH} is '
                "Fairway's own; mount the folder as a hostPath volume, where the namespace allows it"
            )
