"""Steps that wait for something: a file, an address, another run, a time. Called inside a pipeline function.

    from fairway.pipelines.sdk import sensors

    @dsl.pipeline
    def daily():
        there = sensors.file("/data/today.csv", every=60, timeout=6 * 3600)
        train().after(there)

Each is an ordinary kfp component whose only output says whether it is time, with the option `sensor` on its task:
between two looks it takes no room at all. On another backend it looks once. `every` and `timeout` are in seconds; a
timeout of 0 is none. Needs the extra `fairway[pipelines]`; the steps themselves need the standard library only.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kfp import dsl

from fairway.pipelines.sdk import options

_IMAGE = "python:3.11"


def file(path: Any, *, every: float = 30, timeout: float = 0) -> Any:
    """Until there is a file or folder at `path`, or at a file:// address: a text, or an output of another step."""
    return _waiting(wait_for_file, every, timeout, path=path)


def address(url: Any, *, status: int = 200, contains: str = "", every: float = 30, timeout: float = 0) -> Any:
    """Until a GET of `url` is answered with `status`, with the text `contains` in the answer."""
    return _waiting(wait_for_address, every, timeout, url=url, status=status, contains=contains)


def run(run_id: Any, *, states: Sequence[str] = ("SUCCEEDED",), every: float = 30, timeout: float = 0) -> Any:
    """Until another run is over. The step fails where that one did not end in one of `states`."""
    return _waiting(wait_for_run, every, timeout, run_id=run_id, states=list(states))


def time(moment: Any, *, every: float = 30, timeout: float = 0) -> Any:
    """Until `moment`, such as "2027-03-01T06:00:00+01:00"; without a zone it is UTC."""
    return _waiting(wait_until, every, timeout, moment=moment)


def _waiting(look: Callable[..., bool], every: float, timeout: float, /, **inputs: Any) -> Any:
    task = dsl.component(look, base_image=_IMAGE)(**inputs)
    # Looked at anew in each run: what was there yesterday says nothing about today.
    return options.sensor(task, every=every, timeout=timeout).set_caching_options(False)


# The looks themselves. Each is sent to its step as source, and so carries its own imports.


def wait_for_file(path: str) -> bool:
    import os  # noqa: PLC0415

    return os.path.exists(path.removeprefix("file://"))


def wait_for_address(url: str, status: int, contains: str) -> bool:
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the author's own address
            code, body = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            code, body = refused.code, refused.read()
    except OSError as problem:
        print(f"{url}: {problem}")
        return False
    print(f"{url} was answered with {code}")
    return code == status and contains.encode() in body


def wait_for_run(run_id: str, states: list[str]) -> bool:
    import json  # noqa: PLC0415
    import os  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    places = (
        os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", ""),
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        os.path.join(os.path.dirname(os.environ.get("KUBECONFIG", "")), "token"),
    )
    with open(next(place for place in places if os.path.exists(place))) as file:
        token = file.read().strip()
    url = f"{os.environ['KF_PIPELINES_ENDPOINT']}/apis/v2beta1/runs/{run_id}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the platform's own address
        state = json.load(answer)["state"]
    print(f"run {run_id} is {state}")
    if state in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED") and state not in states:
        raise RuntimeError(f"run {run_id} is {state}, and {' or '.join(states)} was waited for")
    return state in states


def wait_until(moment: str) -> bool:
    from datetime import UTC, datetime  # noqa: PLC0415

    wanted = datetime.fromisoformat(moment)
    if wanted.tzinfo is None:
        wanted = wanted.replace(tzinfo=UTC)
    return datetime.now(UTC) >= wanted
