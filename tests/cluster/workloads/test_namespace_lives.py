"""A namespace is furnished when it is born and emptied before it goes."""

from __future__ import annotations

import pytest
from pretend_cluster import Here

from fairway.kernel.objects import conditions, errors, meta
from fairway.kernel.objects.kinds import (
    CONFIG_MAP,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    Object,
)


async def test_every_namespace_has_a_service_account_and_the_root_certificate(here: Here) -> None:
    await here.client.create(NAMESPACE, NAMESPACE.new("team"))
    await here.until(SERVICE_ACCOUNT, "default", bool, "team")
    found = await here.until(CONFIG_MAP, "kube-root-ca.crt", bool, "team")
    assert found["data"] == {"ca.crt": "the certificate authority"}
    await here.client.delete(SERVICE_ACCOUNT, "default", "team")
    again = await here.until(SERVICE_ACCOUNT, "default", lambda a: not meta.being_deleted(a), "team")
    assert again
    await here.client.patch(CONFIG_MAP, "kube-root-ca.crt", "team", {"data": {"ca.crt": "forged"}})
    await here.until(
        CONFIG_MAP, "kube-root-ca.crt", lambda c: c["data"]["ca.crt"] == "the certificate authority", "team"
    )


async def test_a_deleted_namespace_takes_all_its_objects_with_it(here: Here) -> None:
    await here.client.create(NAMESPACE, NAMESPACE.new("team"))
    containers = [{"name": "c", "image": "busybox"}]
    await here.client.create(POD, POD.new("runs", "team", spec={"containers": containers}))
    held = {"finalizers": ["test.fairway.dev/hold"]}
    await here.client.create(SECRET, SECRET.new("held", "team", metadata=held))
    await here.until(POD, "runs", lambda pod: pod["spec"].get("nodeName"), "team")
    await here.client.delete(NAMESPACE, "team")
    told = await here.until(NAMESPACE, "team", lambda n: "secrets has 1 resource instances" in str(n["status"]), None)
    assert told["status"]["phase"] == "Terminating"
    with pytest.raises(errors.Forbidden):
        await here.client.create(SECRET, SECRET.new("late", "team"))
    await here.client.patch(SECRET, "held", "team", {"metadata": {"finalizers": None}})
    await here.until_gone(NAMESPACE, "team", None)


async def test_what_somebody_keeps_from_going_is_told_and_keeps_nothing_else(here: Here) -> None:
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]}]
    kept = {"expression": "oldObject.metadata.name != 'a-kept'", "message": "it is kept"}
    spec: Object = {"matchConstraints": {"resourceRules": rules}, "validations": [kept]}
    await here.client.create(VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY.new("keep", spec=spec))
    spec = {"policyName": "keep", "validationActions": ["Deny"]}
    binding = VALIDATING_ADMISSION_POLICY_BINDING.new("keep", spec=spec)
    await here.client.create(VALIDATING_ADMISSION_POLICY_BINDING, binding)
    await here.client.create(NAMESPACE, NAMESPACE.new("team"))
    for name in ("a-kept", "other"):
        containers = [{"name": "c", "image": "busybox"}]
        await here.client.create(POD, POD.new(name, "team", spec={"containers": containers}))
    await here.client.delete(NAMESPACE, "team")
    await here.until_gone(POD, "other", "team")

    def failure(namespace: Object) -> Object:
        return conditions.find(namespace, "NamespaceDeletionContentFailure") or {}

    told = await here.until(NAMESPACE, "team", lambda obj: failure(obj).get("status") == "True", None)
    assert "it is kept" in failure(told)["message"]
    await here.client.delete(VALIDATING_ADMISSION_POLICY_BINDING, "keep")
    await here.until_gone(NAMESPACE, "team", None)
