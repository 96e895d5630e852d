"""A group of nodes, and a wish for a model on them."""

from __future__ import annotations

from pathlib import Path

from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import Object
from fairway.serving.caches.kinds import LOCAL_MODEL_CACHE, LOCAL_MODEL_NODE_GROUP
from fairway.testing.cluster import NODE


async def add_group(client: Client, path: Path, limit: str = "1Gi") -> None:
    affinity = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    volume = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": limit},
        "local": {"path": str(path)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [affinity]}]}},
    }
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": limit}}}
    spec = {"storageLimit": limit, "persistentVolumeSpec": volume, "persistentVolumeClaimSpec": claim}
    await client.create(LOCAL_MODEL_NODE_GROUP, LOCAL_MODEL_NODE_GROUP.new("workers", spec=spec))


def wish(name: str, uri: str, size: str = "10Mi") -> Object:
    return LOCAL_MODEL_CACHE.new(name, spec={"sourceModelUri": uri, "modelSize": size, "nodeGroups": ["workers"]})
