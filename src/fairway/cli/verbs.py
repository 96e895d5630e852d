"""The table of verbs, and the one way in which a verb fails."""

from __future__ import annotations

VERBS: dict[str, str] = {
    "up": "start the platform on this machine, or in front of a cluster with --kubeconfig",
    "demo": "do the main job on real data: train, choose, deploy and call a model",
    "run": "run a pipeline function or a compiled pipeline, and follow it",
    "runs": "look into runs, and act on them: logs, outputs, retry, clone, and more",
    "approvals": "the questions that steps ask, and answering them",
    "pools": "how many steps may use something at a time",
    "triggers": "pipelines that run because something happened",
    "notices": "who is told when runs fail, succeed, are late or ask a person",
    "schedules": "pipelines that run by the clock",
    "cache": "forget what was cached",
    "pipelines": "pipelines that are kept by name and version",
    "services": "the models that are served, and serving one",
    "status": "say what runs here and how it is",
    "stop": "end the platform; everything is kept",
    "open": "print a fresh one-time address of the dashboard",
    "kubeconfig": "print the path of a kubeconfig for kubectl and the Kubernetes clients",
    "token": "print a bearer token that every API accepts",
    "tokens": "tokens that open one service or graph, and nothing else",
    "audit": "who wrote what in the Kubernetes API, and who was refused",
    "login": "write what the clients read, so that kfp.Client(host=...) needs no token argument",
    "config": "show the settings in force and where each is from",
    "doctor": "look at this machine and say what works, what does not, and what to do",
}


class Failure(Exception):
    """What a verb cannot do: one sentence with the next action."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code
