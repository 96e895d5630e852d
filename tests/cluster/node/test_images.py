"""Images as processes: which names are known, what of this machine they need, and what runs."""

from __future__ import annotations

import shutil

import pytest

from fairway.cluster.node import images
from fairway.cluster.node.runtime import CannotStart

from .conftest import Bench, phase, state


@pytest.mark.parametrize(
    "image",
    ["alpine", "library/bash", "docker.io/library/python:3.7", "ghcr.io/containerd/busybox:1.36", "python:alpine3.9"],
)
def test_known_names_with_any_tag_and_from_any_registry(image: str) -> None:
    assert images.find(image).python


def test_an_image_around_a_program_needs_that_program_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, path: None)
    with pytest.raises(CannotStart) as refused:
        images.find("google/cloud-sdk:slim")
    assert refused.value.reason == "ProgramNotInstalled"
    assert "this machine's own gsutil, and there is none: install it, or connect" in refused.value.message
    monkeypatch.setattr(shutil, "which", lambda program, path: f"/usr/bin/{program}")
    assert images.find("google/cloud-sdk:slim").command == ("sh",)
    assert images.find("jetbrainsinfra/jq").entrypoint == ("jq",)


def test_what_is_known_is_told_with_what_is_not() -> None:
    with pytest.raises(CannotStart, match=r"Use one of these images: pause, .*alpine.* or connect a Kubernetes"):
        images.find("example.org/mine:1")


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git here to run")
async def test_arguments_alone_go_to_the_images_entrypoint(pods: Bench) -> None:
    await pods.create("git", container={"image": "alpine/git", "args": ["--version"]})
    assert phase(await pods.over("git")) == "Succeeded"
    assert (await pods.log("git")).startswith("git version")


async def test_the_shell_of_busybox_knows_more_than_posix(pods: Bench) -> None:
    script = "[[ a == a ]] && echo yes"
    await pods.create("ash", container={"image": "busybox", "command": ["sh", "-c", script]})
    ended = await pods.over("ash")
    assert (phase(ended), await pods.log("ash")) == ("Succeeded", "yes\n"), state(ended, "terminated")


def test_images_of_ones_own_come_before_the_catalogue() -> None:
    own = images.own(["me/tool=env A=1 python3 '/srv/my tool.py'", "kserve/success-*=true"])
    assert images.find("me/tool:3", own=own).entrypoint == ("env", "A=1", "python3", "/srv/my tool.py")
    assert images.find("docker.io/kserve/success-200-isvc:latest", own=own).entrypoint == ("true",)
    assert images.find("kserve/sklearnserver", own=own).entrypoint == ()
    assert "me/tool" in images.patterns(own)
    assert images.runs_here("me/tool", own)
    for wrong in ("me/tool", "=python3", "me/tool="):
        with pytest.raises(ValueError, match="NAME=COMMAND"):
            images.own([wrong])
