"""How long a sleeping service takes to answer its first request, and how many requests fail while versions change."""

import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from bench.measuring import Row, milliseconds, quantile
from bench.platform import Platform
from fairway.serving import sdk

_WAKES = 3
_ASLEEP = 45.0
"""Seconds until a service sleeps: a window of six, and the grace of thirty."""
_BODY = b'{"instances":[[6.8,2.8,4.8,1.4]]}'
_QUICK = {"autoscaling.knative.dev/window": "6s"}


def measure(platform: Platform) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.joblib" for name in ("old", "new")]
        rows, classes = load_iris(return_X_y=True)
        for number, path in enumerate(paths):
            joblib.dump(LogisticRegression(max_iter=500).fit(rows, classes + number), path)
        return [_wakes(platform, paths[0]), _rollouts(platform, paths)]


def _wakes(platform: Platform, path: Path) -> Row:
    service = sdk.deploy("sleeper", path, kubeconfig_file=platform.server.kubeconfig, minReplicas=0, annotations=_QUICK)
    times = []
    for _ in range(_WAKES):
        time.sleep(_ASLEEP)
        begin = time.perf_counter()
        status = _call(service)
        if status != 200:
            raise SystemExit(f"a sleeping service answered {status}")
        times.append(time.perf_counter() - begin)
    return Row("the first answer of a service that sleeps", milliseconds(quantile(times, 0.5)), "1 s")


def _rollouts(platform: Platform, paths: list[Path]) -> Row:
    """Updates in place, a canary, its promotion, and a rollback, with four clients all along."""
    kubeconfig = platform.server.kubeconfig
    service = sdk.deploy("changing", paths[0], kubeconfig_file=kubeconfig)
    statuses: Counter[int] = Counter()
    end = threading.Event()

    def call() -> None:
        while not end.is_set():
            statuses[_call(service)] += 1

    clients = [threading.Thread(target=call) for _ in range(4)]
    for client in clients:
        client.start()
    for path, percent in ((1, None), (0, 30), (0, None), (1, 50), (1, 0), (0, None)):
        fields = {} if percent is None else {"canaryTrafficPercent": percent}
        sdk.deploy("changing", paths[path], kubeconfig_file=kubeconfig, **fields)
        time.sleep(3)
    end.set()
    for client in clients:
        client.join()
    failed = statuses.total() - statuses[200]
    return Row("requests that failed in 6 changes of version", f"{failed} of {statuses.total()}", "0")


def _call(service: sdk.Service) -> int:
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{service.url}/v1/models/{service.name}:predict", _BODY, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0
