"""What an earlier Fairway stored, completed as this one would have stored it: quantities settled, defaults filled in.

Clients, controllers and admission read built-in kinds as if they had had today's defaults always. `up` gives this to
the store, which does it once after each upgrade, when it opens its file: the objects keep their revisions, nobody is
told of a change, and a server that runs has no part in it. Custom resources are completed as they are read, since their
definitions change at any time (`custom.crds`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources as files

from fairway.cluster.api import resources
from fairway.cluster.api.defaults.builtin_defaults import DEFAULTS, TEMPLATE_DEFAULTS
from fairway.cluster.api.strategies import Strategy, builtin_strategy
from fairway.cluster.store.protocol import Completion
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import CONTROLLER_REVISION, DEPLOYMENT, Object

SOURCES: Mapping[str, tuple[str, ...]] = {
    "fairway.cluster.api.defaults": ("builtin_defaults.py", "policy_defaults.py", "stored.py"),
    "fairway.cluster.api.checks": ("role_checks.py",),
    "fairway.kernel.objects": ("amounts.py", "quantities.py"),
}
"""All that decides what an object is completed to, but for upstream's definitions: of fields that these come to know
an earlier Fairway stored nothing."""
_WITHOUT_DEFAULTS = frozenset({"runtimeclasses.node.k8s.io", CONTROLLER_REVISION.resource})
"""What is completed, too: an overhead has quantities, a revision has a template."""


def completion() -> Completion:
    @cache  # most starts find everything complete
    def strategies() -> Mapping[str, Strategy]:
        return {row.kind.resource: builtin_strategy(row) for row in resources.builtin() if row.storage == row.kind}

    return Completion(
        _fingerprint(), _WITHOUT_DEFAULTS | {*DEFAULTS}, lambda resource, obj: _complete(strategies(), resource, obj)
    )


def _complete(strategies: Mapping[str, Strategy], resource: str, obj: Object) -> None:
    try:
        if resource == CONTROLLER_REVISION.resource:
            # It is compared with the template that its DaemonSet or StatefulSet has now.
            _fill(strategies[DEPLOYMENT.resource], obj["data"], TEMPLATE_DEFAULTS)
        else:
            _fill(strategies[resource], obj, strategies[resource].default)
    except (errors.ApiError, AttributeError, KeyError, TypeError) as problem:
        raise ValueError(str(problem)) from None


def _fill(strategy: Strategy, obj: Object, defaults: Callable[[Object], None]) -> None:
    if amounts := strategy.amounts():
        obj.update(amounts.settled(obj))
    defaults(obj)


def _fingerprint() -> str:
    """Another one for each Fairway that completes objects otherwise."""
    digest = hashlib.sha256()
    for package, names in SOURCES.items():
        for name in names:
            digest.update(files.files(package).joinpath(name).read_bytes())
    return digest.hexdigest()
