"""The children of a JobSet: its Jobs, the headless Service that gives their pods names, the claims they share. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.workloads.jobset import names, runs
from fairway.kernel.control.children import owned
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import JOB, PERSISTENT_VOLUME_CLAIM, SERVICE, Object

_PLACES = ("nodeSelector", "tolerations", "schedulingGates")


def job(jobset: Object, replicated: Object, index: int) -> Object:
    template = replicated["template"]
    alone = runs.job_restarts(jobset, replicated["name"], index)
    told = names.labels(jobset, replicated, index, runs.restarts(jobset), alone)
    spec = {**template["spec"], "suspend": runs.suspended(jobset)}
    pod = spec.get("template") or {}
    pod_spec = dict(pod.get("spec") or {})
    if named(jobset):
        pod_spec["subdomain"] = names.subdomain(jobset)
    if volumes := [_volume(jobset, claim) for claim in _mounted(jobset, pod_spec)]:
        pod_spec["volumes"] = [*(pod_spec.get("volumes") or ()), *volumes]
    spec["template"] = {**pod, "metadata": _told(pod, told), "spec": pod_spec}
    name = names.job(meta.name(jobset), replicated["name"], index)
    made = JOB.new(name, meta.namespace(jobset), metadata=_told(template, told), spec=spec)
    return owned(jobset, made)


def service(jobset: Object) -> Object | None:
    """The headless Service; None where nobody wants host names."""
    if not named(jobset):
        return None
    early = jobset["spec"]["network"].get("publishNotReadyAddresses")
    spec: Object = {
        "clusterIP": "None",
        "selector": {names.JOB_SET_NAME: meta.name(jobset)},
        "publishNotReadyAddresses": early is not False,
    }
    return owned(jobset, SERVICE.new(names.subdomain(jobset), meta.namespace(jobset), spec=spec))


def claims(jobset: Object) -> Iterator[Object]:
    for policy in jobset["spec"].get("volumeClaimPolicies") or ():
        keep = (policy.get("retentionPolicy") or {}).get("whenDeleted") == "Retain"
        for template in policy.get("templates") or ():
            told = template.get("metadata") or {}
            metadata: Object = {"labels": {**(told.get("labels") or {}), names.JOB_SET_NAME: meta.name(jobset)}}
            if told.get("annotations"):
                metadata["annotations"] = told["annotations"]
            name = names.claim(meta.name(jobset), told["name"])
            made = PERSISTENT_VOLUME_CLAIM.new(
                name, meta.namespace(jobset), metadata=metadata, spec=template.get("spec") or {}
            )
            yield made if keep else owned(jobset, made)


def resumed(job: Object, replicated: Object) -> Object:
    """The patch that lets a suspended Job run, with what a queue has meanwhile written into the JobSet's template."""
    given = (replicated["template"]["spec"].get("template")) or {}
    now = job["spec"]["template"]
    template: Object = {}
    for part in ("labels", "annotations"):
        said, wanted = (now.get("metadata") or {}).get(part) or {}, (given.get("metadata") or {}).get(part) or {}
        if any(said.get(key) != value for key, value in wanted.items()):
            template.setdefault("metadata", {})[part] = wanted
    for part in _PLACES:
        said, wanted = now["spec"].get(part), (given.get("spec") or {}).get(part)
        if not wanted or said == wanted:
            continue
        if isinstance(wanted, list):
            wanted = [*(said or ()), *(item for item in wanted if item not in (said or ()))]
        if wanted != said:
            template.setdefault("spec", {})[part] = wanted
    return {"spec": {"suspend": False, **({"template": template} if template else {})}}


def named(jobset: Object) -> bool:
    """Whether pods are reached by host names."""
    return bool((jobset["spec"].get("network") or {}).get("enableDNSHostnames"))


def _told(template: Object, told: dict[str, str]) -> Object:
    metadata = template.get("metadata") or {}
    return {part: {**(metadata.get(part) or {}), **told} for part in ("labels", "annotations")}


def _mounted(jobset: Object, pod: Object) -> Iterator[str]:
    """The claims of the JobSet that a container of the pod mounts."""
    mounts = {
        mount.get("name")
        for part in ("initContainers", "containers")
        for container in pod.get(part) or ()
        for mount in container.get("volumeMounts") or ()
    }
    for policy in jobset["spec"].get("volumeClaimPolicies") or ():
        for template in policy.get("templates") or ():
            if template["metadata"]["name"] in mounts:
                yield template["metadata"]["name"]


def _volume(jobset: Object, claim: str) -> Object:
    return {"name": claim, "persistentVolumeClaim": {"claimName": names.claim(meta.name(jobset), claim)}}
