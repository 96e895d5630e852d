"""Each GPU has one owner, also over a restart of the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.cluster.node.gpus import Devices
from fairway.cluster.node.runtime import CannotStart
from fairway.kernel.objects.kinds import Object


def wants(count: int, name: str = "main") -> Object:
    return {"name": name, "resources": {"limits": {"nvidia.com/gpu": str(count)}} if count else {}}


def seen(devices: Devices, pod: str, folder: Path, container: Object) -> str:
    return devices.variables(pod, folder, container)["CUDA_VISIBLE_DEVICES"]


def test_each_container_sees_its_own(tmp_path: Path) -> None:
    devices = Devices(3)
    assert seen(devices, "a", tmp_path, wants(2)) == "0,1"
    assert seen(devices, "a", tmp_path, wants(2)) == "0,1"
    assert seen(devices, "b", tmp_path, wants(1)) == "2"
    assert seen(devices, "c", tmp_path, wants(0)) == ""
    with pytest.raises(CannotStart, match="0 are free"):
        seen(devices, "d", tmp_path, wants(1))
    devices.free("a")
    assert seen(devices, "d", tmp_path, wants(1)) == "0"


def test_a_restarted_agent_remembers(tmp_path: Path) -> None:
    assert seen(Devices(2), "a", tmp_path, wants(1)) == "0"
    later = Devices(2)
    later.keep("a", tmp_path)
    (tmp_path / "other").mkdir()
    assert seen(later, "b", tmp_path / "other", wants(1)) == "1"
    assert seen(later, "a", tmp_path, wants(1)) == "0"


def test_a_machine_without_any_says_nothing(tmp_path: Path) -> None:
    assert Devices(0).variables("a", tmp_path, wants(0)) == {}
