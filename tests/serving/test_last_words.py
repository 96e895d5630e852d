"""What is told of a server that has ended: what it said itself, or how it ended and what it said last."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.kernel.objects.kinds import POD
from fairway.serving.status import failures


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"exitCode": 1, "message": "No model is here.\n"}, "No model is here."),
        ({"exitCode": 3, "message": "asked\n"}, "server ended with exit code 3. It said last:\nasked"),
        ({"exitCode": 3}, "server ended with exit code 3; see its log."),
        (
            {"exitCode": 137, "reason": "OOMKilled", "message": "asked"},
            "server used more memory than its limit of 1Gi and was killed: raise the limit. It said last:\nasked",
        ),
    ],
)
def test_the_last_words_of_a_server(ended: dict[str, Any], told: str) -> None:
    spec = {"containers": [{"name": "server", "resources": {"limits": {"memory": "1Gi"}}}]}
    pod = POD.new("p", "default", spec=spec)
    pod["status"] = {"containerStatuses": [{"name": "server", "state": {"terminated": ended}}]}
    failure = failures.of_pod(pod)
    assert failure is not None
    assert (failure.message, failure.exit_code) == (told, ended["exitCode"])
