"""What is wrong with a MutatingWebhookConfiguration or a ValidatingWebhookConfiguration. How webhooks are asked is in
`admission.webhooks`."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.cluster.api import request_expressions
from fairway.cluster.api.checks import causes, selector_checks
from fairway.cluster.api.webhooks import checks
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_REVIEWS = ("v1", "v1beta1")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_CHOICES = {
    "failurePolicy": ("Fail", "Ignore"),
    "matchPolicy": ("Equivalent", "Exact"),
    "reinvocationPolicy": ("IfNeeded", "Never"),
    "sideEffects": ("None", "NoneOnDryRun"),
}
_MOST_CONDITIONS = 64


def problems(configuration: Object) -> Iterator[Cause]:
    seen = set[str]()
    for index, webhook in causes.items(configuration, "webhooks"):
        at, name = f"webhooks[{index}]", str(webhook.get("name") or "")
        if name in seen:
            yield causes.duplicate(f"{at}.name", name)
        seen.add(name)
        if not names.dns_subdomain(name) or name.count(".") < 2:
            yield causes.invalid(
                f"{at}.name", name, "should be a domain with at least three segments separated by dots"
            )
        yield from _webhook(webhook, at)


def _webhook(webhook: Object, at: str) -> Iterator[Cause]:
    yield from _reviews(webhook.get("admissionReviewVersions") or [], f"{at}.admissionReviewVersions")
    if not webhook.get("sideEffects"):
        supported = 'must specify one of "None", "NoneOnDryRun"'
        yield causes.required(f"{at}.sideEffects", supported)
    for key, allowed in _CHOICES.items():
        if webhook.get(key) and webhook[key] not in allowed:
            yield causes.unsupported(f"{at}.{key}", webhook[key], *allowed)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        why = "the timeout value must be between 1 and 30 seconds"
        yield causes.invalid(f"{at}.timeoutSeconds", seconds, why)
    for index, rule in causes.items(webhook, "rules"):
        yield from rule_problems(rule, f"{at}.rules[{index}]")
    for key in ("namespaceSelector", "objectSelector"):
        yield from selector_checks.of_labels(webhook.get(key) or {}, f"{at}.{key}")
    yield from checks.client_config(webhook.get("clientConfig") or {}, f"{at}.clientConfig")
    yield from _conditions(webhook, f"{at}.matchConditions")


def _reviews(versions: list[str], at: str) -> Iterator[Cause]:
    if not versions:
        yield causes.required(at, f"must specify one of {', '.join(_REVIEWS)}")
    elif not set(versions) & set(_REVIEWS):
        yield causes.invalid(at, versions, f"must include at least one of {', '.join(_REVIEWS)}")
    elif "v1" not in versions:
        yield causes.invalid(at, versions, "this server sends AdmissionReviews of v1: add it to the list")
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield causes.invalid(f"{at}[{index}]", version, "duplicate version")


def rule_problems(rule: Object, at: str) -> Iterator[Cause]:
    """Of a rule of webhooks or of policies."""
    for key in ("apiGroups", "apiVersions", "operations"):
        given = rule.get(key) or []
        if not given:
            yield causes.required(f"{at}.{key}")
        elif "*" in given and len(given) > 1:
            yield causes.invalid(f"{at}.{key}", given, "if '*' is present, must not specify other " + _OTHERS[key])
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            yield causes.unsupported(f"{at}.operations[{index}]", operation, *_OPERATIONS)
    for key in ("apiVersions", "resources"):
        for index, word in enumerate(rule.get(key) or ()):
            if not word:
                yield causes.required(f"{at}.{key}[{index}]")
    yield from _resources(rule.get("resources") or [], f"{at}.resources")
    if rule.get("scope") and rule["scope"] not in ("*", "Cluster", "Namespaced"):
        yield causes.unsupported(f"{at}.scope", rule["scope"], "*", "Cluster", "Namespaced")


_OTHERS = {"apiGroups": "groups", "apiVersions": "versions", "operations": "operations"}


def _resources(resources: list[str], at: str) -> Iterator[Cause]:
    if not resources:
        yield causes.required(at)
    if "*/*" in resources and len(resources) > 1:
        yield causes.invalid(at, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and any("/" not in word for word in resources if word != "*"):
        why = "if '*' is present, must not specify other resources without subresources"
        yield causes.invalid(at, resources, why)
    for index, word in enumerate(resources):
        resource, _, subresource = word.partition("/")
        if subresource == "*" and any(other.startswith(f"{resource}/") for other in resources if other != word):
            why = f"if '{word}' is present, must not specify {resource}/..."
            yield causes.invalid(f"{at}[{index}]", word, why)


def _conditions(webhook: Object, at: str) -> Iterator[Cause]:
    conditions, seen = causes.items(webhook, "matchConditions"), set[str]()
    if len(conditions) > _MOST_CONDITIONS:
        text = f"Too many: {len(conditions)}: must have at most {_MOST_CONDITIONS} items"
        yield Cause(at, text, "FieldValueTooMany")
        return
    for index, condition in conditions:
        here, name = f"{at}[{index}]", str(condition.get("name") or "")
        if not name:
            yield causes.required(f"{here}.name")
        elif name in seen:
            yield causes.duplicate(f"{here}.name", name)
        seen.add(name)
        expression = str(condition.get("expression") or "").strip()
        if not expression:
            yield causes.required(f"{here}.expression")
            continue
        try:
            request_expressions.compiled(expression, request_expressions.CONDITION_VARIABLES, "bool")
        except request_expressions.BadExpression as problem:
            yield causes.invalid(f"{here}.expression", expression, str(problem))
