"""What upstream calls the labels of a JobSet's Jobs and pods, its Jobs, Services and claims. Pure.

>>> job("train", "node", 0)
'train-node-0'
"""

from __future__ import annotations

import hashlib

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

_PREFIX = "jobset.sigs.k8s.io/"
JOB_SET_NAME = f"{_PREFIX}jobset-name"
REPLICATED_JOB = f"{_PREFIX}replicatedjob-name"
JOB_INDEX = f"{_PREFIX}job-index"
RESTART_ATTEMPT = f"{_PREFIX}restart-attempt"
JOB_RESTART_ATTEMPT = f"{_PREFIX}job-restart-attempt"
COORDINATOR = f"{_PREFIX}coordinator"


def job(jobset: str, replicated: str, index: int) -> str:
    return f"{jobset}-{replicated}-{index}"


def claim(jobset: str, template: str) -> str:
    return f"{template}-{jobset}"


def subdomain(jobset: Object) -> str:
    """The name of the headless Service, and the domain of its pods' host names."""
    return str((jobset["spec"].get("network") or {}).get("subdomain") or meta.name(jobset))


def coordinator(jobset: Object) -> str:
    """Where the pod that coordinates is reached."""
    chosen = jobset["spec"]["coordinator"]
    name = job(meta.name(jobset), chosen["replicatedJob"], int(chosen.get("jobIndex") or 0))
    return f"{name}-{int(chosen.get('podIndex') or 0)}.{subdomain(jobset)}"


def labels(jobset: Object, replicated: Object, index: int, restarts: int, alone: int) -> dict[str, str]:
    """What a Job and its pods carry, as labels and as annotations."""
    everyone = jobset["spec"].get("replicatedJobs") or ()
    group = replicated.get("groupName") or "default"
    fellows = [other for other in everyone if (other.get("groupName") or "default") == group]
    name = job(meta.name(jobset), replicated["name"], index)
    said = {
        JOB_SET_NAME: meta.name(jobset),
        f"{_PREFIX}jobset-uid": meta.uid(jobset),
        REPLICATED_JOB: replicated["name"],
        RESTART_ATTEMPT: str(restarts),
        JOB_RESTART_ATTEMPT: str(alone),
        f"{_PREFIX}replicatedjob-replicas": str(replicated.get("replicas", 1)),
        f"{_PREFIX}global-replicas": str(_total(everyone)),
        JOB_INDEX: str(index),
        f"{_PREFIX}job-key": _digest(f"{meta.namespace(jobset)}/{name}"),
        f"{_PREFIX}job-global-index": str(_before(everyone, replicated) + index),
        f"{_PREFIX}group-name": group,
        f"{_PREFIX}group-replicas": str(_total(fellows)),
        f"{_PREFIX}job-group-index": str(_before(fellows, replicated) + index),
    }
    if jobset["spec"].get("coordinator"):
        said[COORDINATOR] = coordinator(jobset)
    return said


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # upstream's choice: it names, no more


def _total(replicated: list[Object] | tuple[Object, ...]) -> int:
    return sum(int(each.get("replicas", 1)) for each in replicated)


def _before(everyone: list[Object] | tuple[Object, ...], replicated: Object) -> int:
    """How many Jobs stand before those of `replicated`."""
    position = [each["name"] for each in everyone].index(replicated["name"])
    return _total(everyone[:position])
