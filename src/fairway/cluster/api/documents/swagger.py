"""OpenAPI v2: everything that is served in one document, for clients that know only this form, and for kubectl when
it checks the members of a List.

It says what the documents of `openapi` say, in the older words. `swagger_wire` has its protobuf form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fairway.cluster.api.documents import openapi
from fairway.cluster.api.documents.openapi import Row
from fairway.kernel.objects.kinds import Object

_NEW, _OLD = "#/components/schemas/", "#/definitions/"
_DROPPED = ("allOf", "anyOf", "not", "nullable", "oneOf")
"""What this version has no word for; of a reference that is wrapped only the reference stays."""
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_EITHER_NOW = [{"type": "string"}, {"type": "integer"}]
_EITHER = {"type": "string", "format": "int-or-string"}
_METHODS = ("get", "put", "post", "patch", "delete")


def document(rows: Iterable[Row]) -> Object:
    """The answer to /openapi/v2."""
    paths, schemas = openapi.whole(rows)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": openapi.release()},
        "paths": {path: _path(paths[path]) for path in sorted(paths)},
        "definitions": {name: _definition(name, schemas[name]) for name in sorted(schemas)},
    }


def _definition(name: str, schema: Object) -> Any:
    return {**_schema(schema), "type": "string"} if name == _QUANTITY else _schema(schema)


def _schema(schema: Any, *, names: bool = False) -> Any:
    """`names` is true where the keys are names of fields and not words of the schema language."""
    if isinstance(schema, list):
        return [_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if names:
        return {name: _schema(each) for name, each in schema.items()}
    if schema.get("x-kubernetes-int-or-string") or schema.get("oneOf") == _EITHER_NOW:
        return {**_EITHER, **({"description": schema["description"]} if "description" in schema else {})}
    kept = {word: value for word, value in schema.items() if word not in (*_DROPPED, *_too_strict(schema))}
    result = {word: _schema(value, names=word == "properties") for word, value in kept.items()}
    if isinstance(result.get("$ref"), str):
        result["$ref"] = result["$ref"].replace(_NEW, _OLD)
    return result


def _too_strict(schema: Object) -> tuple[str, ...]:
    """The words that an old client would take for all that there may be, as upstream has it."""
    if schema.get("nullable"):
        return "type", "items", "properties", "additionalProperties"
    return ("items", "properties") if schema.get("x-kubernetes-preserve-unknown-fields") else ()


def _path(item: Object) -> Object:
    result: Object = {method: _operation(item[method]) for method in _METHODS if method in item}
    if parameters := item.get("parameters"):
        result["parameters"] = [_parameter(each) for each in parameters]
    return result


def _operation(given: Object) -> Object:
    parameters = [_parameter(each) for each in given["parameters"]]
    operation = {key: value for key, value in given.items() if key not in ("parameters", "requestBody", "responses")}
    if body := given.get("requestBody"):
        types = list(body["content"])
        operation["consumes"] = types
        parameters.insert(0, {"name": "body", "in": "body", "required": True, "schema": _content(body)})
    answers = {
        code: {"description": each["description"], "schema": _content(each)}
        for code, each in given["responses"].items()
    }
    return {**operation, "produces": ["application/json"], "parameters": parameters, "responses": answers}


def _content(body: Object) -> Any:
    return _schema(next(iter(body["content"].values()))["schema"])


def _parameter(given: Object) -> Object:
    rest = {key: value for key, value in given.items() if key != "schema"}
    return {**rest, "type": given["schema"]["type"]}
