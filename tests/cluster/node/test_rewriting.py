"""Paths below a mountPath, where there are no private mounts."""

from __future__ import annotations

from fairway.cluster.node.rewriting import rewritten


def test_paths_are_replaced_where_they_are_written_down() -> None:
    request = {
        "argv": ["cat", "/data/x", "--in=/data", "/database/x", "/data/deep/y"],
        "args": ["/data/x"],
        "env": {"INPUT": "/data/x", "URL": "http://host/data"},
        "cwd": "/data",
        "mounts": [["/real", "/data", False], ["/other", "/data/deep/", True]],
    }
    assert rewritten(request) == {
        "argv": ["cat", "/real/x", "--in=/real", "/database/x", "/other/y"],
        "args": ["/real/x"],
        "env": {"INPUT": "/real/x", "URL": "http://host/data"},
        "cwd": "/real",
        "mounts": [],
    }
    assert request["cwd"] == "/data", "the request is the caller's"
