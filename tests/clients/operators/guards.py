"""An operator that judges and completes kettles before they are stored, by webhooks that it registers itself."""

import os
from typing import Any

import kopf


@kopf.on.startup()
def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
    folder = os.environ["GUARD_FOLDER"]
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1",
        host="127.0.0.1",
        certfile=f"{folder}/serving.crt",
        pkeyfile=f"{folder}/serving.key",
        cafile=f"{folder}/ca.crt",
    )
    settings.admission.managed = os.environ["GUARD_NAME"]


@kopf.on.validate("kettles")
def judged(spec: kopf.Spec, warnings: list[str], **_: Any) -> None:
    if spec.get("litres", 0) > 10:
        raise kopf.AdmissionError("a kettle holds ten litres", code=400)
    if spec.get("litres", 0) > 5:
        warnings.append("that is a large kettle")


@kopf.on.mutate("kettles", operations=["CREATE"])
def completed(patch: kopf.Patch, spec: kopf.Spec, dryrun: bool, **_: Any) -> None:
    patch.spec["colour"] = "grey" if dryrun else "red"
