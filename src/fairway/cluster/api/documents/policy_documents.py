"""What is wrong with an admission policy or with the binding of one, in upstream's words.

What they do to requests is in `admission.policies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from fairway.cluster.api.admission.policies import compiling
from fairway.cluster.api.admission.policies.compiling import Names
from fairway.cluster.api.cel.tokens import RESERVED
from fairway.cluster.api.cel.types import Type
from fairway.cluster.api.checks import causes, selector_checks
from fairway.cluster.api.request_expressions import BadExpression, compiled
from fairway.cluster.api.webhooks import configurations
from fairway.kernel.objects import names
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_ACTIONS = ("Audit", "Deny", "Warn")
_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_PATCHES = ("ApplyConfiguration", "JSONPatch")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_MOST_CONDITIONS, _MOST_NOTES = 64, 20
_LONGEST_NOTE = 5 * 1024


def validating_policy(policy: Object) -> Iterator[Cause]:
    spec = policy.get("spec") or {}
    known = Names(spec.get("paramKind") is not None)
    yield from _policy(spec, known)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        for key in ("validations", "auditAnnotations"):
            why = "validations or auditAnnotations must contain at least one item"
            yield causes.required(f"spec.{key}", why)
    for index, validation in causes.items(spec, "validations"):
        yield from _validation(validation, known, f"spec.validations[{index}]")
    annotations = causes.items(spec, "auditAnnotations")
    if len(annotations) > _MOST_NOTES:
        why = f"must not have more than {_MOST_NOTES} auditAnnotations"
        yield causes.invalid("spec.auditAnnotations", spec["auditAnnotations"], why)
    seen = set[str]()
    for index, annotation in annotations:
        yield from _note(annotation, known, seen, f"spec.auditAnnotations[{index}]")


def mutating_policy(policy: Object) -> Iterator[Cause]:
    spec = policy.get("spec") or {}
    known = Names(spec.get("paramKind") is not None)
    yield from _policy(spec, known)
    if not spec.get("reinvocationPolicy"):
        yield causes.required("spec.reinvocationPolicy")
    elif spec["reinvocationPolicy"] not in ("IfNeeded", "Never"):
        yield causes.unsupported("spec.reinvocationPolicy", spec["reinvocationPolicy"], "IfNeeded", "Never")
    if not spec.get("mutations"):
        yield causes.required("spec.mutations", "mutations must contain at least one item")
    for index, mutation in causes.items(spec, "mutations"):
        yield from _mutation(mutation, known, f"spec.mutations[{index}]")


def validating_binding(binding: Object) -> Iterator[Cause]:
    yield from mutating_binding(binding)
    actions = (binding.get("spec") or {}).get("validationActions") or []
    at = "spec.validationActions"
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            yield causes.unsupported(f"{at}[{index}]", action, *_ACTIONS)
        if action in actions[:index]:
            yield causes.duplicate(f"{at}[{index}]", action)
    if {"Deny", "Warn"} <= set(actions):
        why = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        yield causes.invalid(at, actions, why)
    if not actions:
        yield causes.required(at, "at least one validation action is required")


def mutating_binding(binding: Object) -> Iterator[Cause]:
    spec = binding.get("spec") or {}
    if not spec.get("policyName"):
        yield causes.required("spec.policyName")
    elif not names.dns_subdomain(spec["policyName"]):
        yield causes.invalid("spec.policyName", spec["policyName"], "a lowercase RFC 1123 subdomain is needed")
    if spec.get("paramRef") is not None:
        yield from _parameters(spec["paramRef"], "spec.paramRef")
    yield from _match(spec.get("matchResources") or {}, "spec.matchResources")


def _parameters(reference: Object, at: str) -> Iterator[Cause]:
    named, selector = reference.get("name"), reference.get("selector")
    if named and selector is not None:
        for key in ("name", "selector"):
            yield causes.forbidden(f"{at}.{key}", "name and selector are mutually exclusive")
    if not named and selector is None:
        yield causes.required(at, "one of name or selector must be specified")
    yield from selector_checks.of_labels(selector or {}, f"{at}.selector")
    action = reference.get("parameterNotFoundAction")
    if not action:
        yield causes.required(f"{at}.parameterNotFoundAction")
    elif action not in ("Allow", "Deny"):
        yield causes.unsupported(f"{at}.parameterNotFoundAction", action, "Deny", "Allow")


def _policy(spec: Object, known: Names) -> Iterator[Cause]:
    """What policies of both kinds have in common. Variables are known to what comes after."""
    if spec.get("failurePolicy") not in ("Fail", "Ignore"):
        yield causes.unsupported("spec.failurePolicy", spec.get("failurePolicy"), "Fail", "Ignore")
    for key in ("apiVersion", "kind") if spec.get("paramKind") is not None else ():
        if not spec["paramKind"].get(key):
            yield causes.required(f"spec.paramKind.{key}")
    match = spec.get("matchConstraints")
    if match is None:
        yield causes.required("spec.matchConstraints")
    else:
        yield from _match(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            yield causes.required("spec.matchConstraints.resourceRules")
    yield from _conditions(spec, known)
    for index, variable in causes.items(spec, "variables"):
        yield from _variable(variable, known, f"spec.variables[{index}]")


def _match(match: Object, at: str) -> Iterator[Cause]:
    if match.get("matchPolicy") not in (None, "Equivalent", "Exact"):
        yield causes.unsupported(f"{at}.matchPolicy", match["matchPolicy"], "Equivalent", "Exact")
    for key in ("namespaceSelector", "objectSelector"):
        yield from selector_checks.of_labels(match.get(key) or {}, f"{at}.{key}")
    for key in ("resourceRules", "excludeResourceRules"):
        for index, rule in causes.items(match, key):
            yield from configurations.rule_problems(rule, f"{at}.{key}[{index}]")


def _conditions(spec: Object, known: Names) -> Iterator[Cause]:
    conditions = causes.items(spec, "matchConditions")
    if len(conditions) > _MOST_CONDITIONS:
        text = f"Too many: {len(conditions)}: must have at most {_MOST_CONDITIONS} items"
        yield Cause("spec.matchConditions", text, "FieldValueTooMany")
    seen = set[str]()
    for index, condition in conditions:
        at, name = f"spec.matchConditions[{index}]", str(condition.get("name") or "")
        if not name:
            yield causes.required(f"{at}.name")
        elif name in seen:
            yield causes.duplicate(f"{at}.name", name)
        seen.add(name)
        yield from _expression(condition, "expression", known.known(composed=False), at, "", "bool")


def _variable(variable: Object, known: Names, at: str) -> Iterator[Cause]:
    name = str(variable.get("name") or "")
    if not name.strip():
        yield causes.required(f"{at}.name", "name is not specified")
    elif not _IDENTIFIER.fullmatch(name) or name in RESERVED:
        yield causes.invalid(f"{at}.name", name, "name is not a valid CEL identifier")
    found: list[Type] = []
    yield from _expression(
        variable, "expression", known.known(), at, "expression is not specified", then=lambda type_: found.append(type_)
    )
    if name and found:
        known.add(name, found[0])


def _validation(validation: Object, known: Names, at: str) -> Iterator[Cause]:
    yield from _expression(validation, "expression", known.known(), at, "expression is not specified", "bool")
    words = validation.get("messageExpression") or ""
    if words and not words.strip():
        yield causes.invalid(f"{at}.messageExpression", words, "must be non-empty if specified")
    elif words:
        yield from _expression(validation, "messageExpression", known.known(), at, "", "string")
    message = validation.get("message") or ""
    if message and not message.strip():
        yield causes.invalid(f"{at}.message", message, "message must be non-empty if specified")
    elif "\n" in message.strip():
        yield causes.invalid(f"{at}.message", message, "message must not contain line breaks")
    if validation.get("reason") and validation["reason"] not in _REASONS:
        yield causes.unsupported(f"{at}.reason", validation["reason"], *_REASONS)


def _note(annotation: Object, known: Names, seen: set[str], at: str) -> Iterator[Cause]:
    key = str(annotation.get("key") or "")
    if not key:
        yield causes.required(f"{at}.key")
    elif key in seen:
        yield causes.duplicate(f"{at}.key", key)
    seen.add(key)
    if len((annotation.get("valueExpression") or "").strip()) > _LONGEST_NOTE:
        yield causes.required(f"{at}.valueExpression", f"must not exceed {_LONGEST_NOTE} bytes in length")
        return
    why = "valueExpression is not specified"
    yield from _expression(annotation, "valueExpression", known.known(), at, why, "string", "null")


def _mutation(mutation: Object, known: Names, at: str) -> Iterator[Cause]:
    kind = mutation.get("patchType")
    if kind not in _PATCHES:
        yield causes.unsupported(f"{at}.patchType", kind, *_PATCHES)
        return
    wanted, other = ("applyConfiguration", "jsonPatch") if kind == _PATCHES[0] else ("jsonPatch", "applyConfiguration")
    if mutation.get(other) is not None:
        yield causes.invalid(f"{at}.{other}", mutation[other], f"may not be specified when patchType is {kind}")
    text = (mutation.get(wanted) or {}).get("expression") or ""
    if not text.strip():
        yield causes.required(f"{at}.{wanted}.expression", "expression is not specified")
        return
    try:
        compiling.mutation(mutation, known)
    except BadExpression as problem:
        yield causes.invalid(f"{at}.{wanted}.expression", text, str(problem))


def _expression(
    holder: Object,
    key: str,
    variables: dict[str, Type],
    at: str,
    absent: str,
    *wanted: str,
    then: Callable[[Type], Any] = lambda _: None,
) -> Iterator[Cause]:
    """`then` is told the type of an expression that compiles."""
    text = holder.get(key) or ""
    if not text.strip():
        yield causes.required(f"{at}.{key}", absent)
        return
    try:
        then(compiled(text, variables, *wanted).type)
    except BadExpression as problem:
        yield causes.invalid(f"{at}.{key}", text, str(problem))
