"""One request of a command to the front door of a platform. Its answer is JSON; a refusal is a sentence for the user.

`connection` knows where the platform is, and calls this.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from fairway.cli.verbs import Failure


def call(url: str, token: str, method: str, path: str, body: Any, timeout: float) -> Any:
    """Raises Failure."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data=data, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - our own http address
            text = answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            said = refused.read()[:300].decode(errors="replace")
        raise Failure(f"{method} {path} was answered with {refused.code}: {said}") from refused
    except OSError as problem:
        raise Failure(f"{url} does not answer ({problem}): see `fairway status`") from problem
    return json.loads(text) if text else None
