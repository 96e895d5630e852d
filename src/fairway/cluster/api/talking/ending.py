"""How a talk ended, in the words that clients read an exit code from."""

from __future__ import annotations

from typing import Any

from fairway.cluster.api.pods.podexec import Talk
from fairway.kernel.objects.kinds import Object


async def status(talk: Talk) -> Object:
    try:
        code = await talk.result()
    except Exception as failure:  # whatever kept the command from running is the answer
        text = f"the command could not be run: {failure}"
        return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": text, "code": 500}
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    text = f"command terminated with non-zero exit code: exit status {code}"
    end: dict[str, Any] = {"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": text}
    return end | {"details": {"causes": causes}}
