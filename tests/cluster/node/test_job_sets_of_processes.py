"""A JobSet of real processes: workers find their leader by its name, a failure restarts all, the leader ends it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import JOB_SET, POD, Object
from fairway.testing.cluster import cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="no C compiler, or no Linux"),
]

LEADER = """
import http.server, os, threading
asked = set()
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.add(self.path)
        self.send_response(200); self.end_headers(); self.wfile.write(b"welcome")
        if len(asked) == 2:
            threading.Thread(target=server.shutdown).start()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("0.0.0.0", 7070), Hello)
server.serve_forever()
"""
WORKER = """
import os, sys, time, urllib.request
if os.environ["ATTEMPT"] == "0":
    sys.exit(3)
for _ in range(600):
    try:
        answer = urllib.request.urlopen(f"http://{os.environ['LEADER']}:7070/{os.environ['JOB_COMPLETION_INDEX']}").read()
        break
    except OSError:
        time.sleep(0.05)
print(answer.decode(), flush=True)
time.sleep(600)
"""


def told(name: str, label: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['jobset.sigs.k8s.io/{label}']"}}}


def job(name: str, program: str, pods: int) -> Object:
    container = {
        "name": "main",
        "image": "python:3",
        "command": ["python3", "-c", program],
        "env": [told("ATTEMPT", "restart-attempt"), told("LEADER", "coordinator")],
    }
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    spec: dict[str, Any] = {"backoffLimit": 0, "completions": pods, "parallelism": pods, "template": {"spec": pod}}
    return {"name": name, "template": {"spec": spec}}


async def test_workers_find_their_leader_after_a_restart(tmp_path: Path) -> None:
    async with cluster(tmp_path, node=True) as here:
        spec = {
            "replicatedJobs": [job("leader", LEADER, 1), job("worker", WORKER, 2)],
            "coordinator": {"replicatedJob": "leader"},
            "failurePolicy": {"maxRestarts": 1},
            "successPolicy": {"operator": "All", "targetReplicatedJobs": ["leader"]},
        }
        await here.client.create(JOB_SET, JOB_SET.new("ring", "default", spec=spec))
        over = await here.client.wait(
            JOB_SET,
            "ring",
            "default",
            lambda one: bool(one and (one.get("status") or {}).get("terminalState")),
            timeout=90,
        )
        assert over is not None
        assert (over["status"]["terminalState"], over["status"]["restarts"]) == ("Completed", 1)
        pods = (await here.client.list(POD, "default", labels="jobset.sigs.k8s.io/jobset-name=ring")).items
        leader = next(pod for pod in pods if pod["spec"]["hostname"] == "ring-leader-0-0")
        assert meta.annotations(leader)["jobset.sigs.k8s.io/coordinator"] == "ring-leader-0-0.ring"
        assert leader["status"]["phase"] == "Succeeded"  # both workers had reached it by that name
