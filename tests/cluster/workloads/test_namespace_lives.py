"""A namespace is furnished when it is born and emptied before it goes."""

from __future__ import annotations

import pytest
from pretend_cluster import Here

from fairway.kernel.objects import errors, meta
from fairway.kernel.objects.kinds import CONFIG_MAP, NAMESPACE, POD, SECRET, SERVICE_ACCOUNT


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
