"""An operator with handlers of every kind: it keeps a ConfigMap for each kettle, and heats it while it is on."""

import asyncio
from typing import Any

import kopf
from kubernetes_asyncio import client, config


@kopf.on.startup()
async def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
    await config.load_kube_config()
    settings.persistence.finalizer = "kettles.example.dev/finalizer"
    settings.posting.loggers = True


@kopf.on.create("kettles")
async def made(spec: kopf.Spec, name: str, namespace: str, retry: int, patch: kopf.Patch, **_: Any) -> dict[str, Any]:
    if retry == 0:
        raise kopf.TemporaryError("the kettle is not in its place yet", delay=0.1)
    body: dict[str, Any] = {"metadata": {"name": f"{name}-water"}, "data": {"litres": str(spec["litres"])}}
    kopf.adopt(body)
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, body)
    patch.status["phase"] = "Filled"
    return {"child": f"{name}-water", "tries": retry + 1}


@kopf.on.update("kettles", field="spec.litres")
async def refilled(name: str, namespace: str, new: int, old: int, **_: Any) -> dict[str, int]:
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).patch_namespaced_config_map(
            f"{name}-water", namespace, {"data": {"litres": str(new)}}
        )
    return {"from": old, "to": new}


@kopf.on.delete("kettles")
async def emptied(name: str, namespace: str, **_: Any) -> None:
    body: dict[str, Any] = {"metadata": {"name": f"{name}-emptied"}}
    async with client.ApiClient() as api:
        await client.CoreV1Api(api).create_namespaced_config_map(namespace, body)


@kopf.timer("kettles", interval=0.2, field="spec.ticking", value=True)
def ticked(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon("kettles", cancellation_backoff=5, field="spec.on", value=True)
async def heated(stopped: kopf.DaemonStopped, name: str, namespace: str, **_: Any) -> None:
    body: dict[str, Any] = {"metadata": {"name": f"{name}-hot"}}
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        await core.create_namespaced_config_map(namespace, body)
        while not stopped:
            await asyncio.sleep(0.05)
        await core.patch_namespaced_config_map(f"{name}-hot", namespace, {"data": {"cold": "again"}})


@kopf.on.event("kettles", labels={"watched": "yes"})
def told(event: kopf.RawEvent, patch: kopf.Patch, status: kopf.Status, **_: Any) -> None:
    if not status.get("seen"):
        patch.status["seen"] = True
