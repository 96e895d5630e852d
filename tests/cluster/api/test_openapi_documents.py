"""The OpenAPI documents: whole, consistent, and with what kubectl looks for in them."""

from __future__ import annotations

import re

import orjson

from fairway.cluster.api import resources
from fairway.cluster.api.documents import openapi
from fairway.cluster.api.documents.openapi import Row
from fairway.cluster.api.resources import Resource
from fairway.kernel.objects.kinds import Kind, Object

BUILTIN = [Row(row) for row in resources.builtin()]
STATUS = resources.Subresource("status", "Widget", "example.org", "v1")
WIDGET = Resource(
    Kind("example.org", "v1", "Widget", "widgets"),
    "widget",
    Kind("example.org", "v1", "Widget", "widgets"),
    subresources=(STATUS,),
)
SCHEMA: Object = {"type": "object", "properties": {"spec": {"type": "object", "description": "What is wanted."}}}


def document(path: str, rows: list[Row] = BUILTIN) -> Object:
    found = openapi.document(rows, path)
    assert found
    body: Object = orjson.loads(found.body)
    return body


def test_each_group_version_has_a_document_whose_references_all_lead_somewhere() -> None:
    index = openapi.index(BUILTIN)["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/batch/v1", "apis/apiextensions.k8s.io/v1"} <= set(index)
    for path in index:
        found = openapi.document(BUILTIN, path)
        assert found
        names = set(re.findall(rb'"\$ref":"#/components/schemas/([^"]+)"', found.body))
        assert names <= {name.encode() for name in orjson.loads(found.body)["components"]["schemas"]}


def test_a_patch_says_that_it_validates_fields_and_can_be_tried_dry() -> None:
    # kubectl looks for these before it applies or creates; without them it refuses.
    patches = {
        operations["patch"]["x-kubernetes-group-version-kind"]["kind"]: operations["patch"]
        for path, operations in document("apis/apps/v1")["paths"].items()
        if "patch" in operations and path.endswith("{name}")
    }
    assert {"Deployment", "ReplicaSet", "StatefulSet"} <= set(patches)
    for operation in patches.values():
        assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in operation["parameters"]}


def test_schemas_carry_descriptions_and_merge_keys() -> None:
    schemas = document("api/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["type"] == "array"
    assert "List of containers" in containers["description"]
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    # What is said of a field is not lost beside the reference to its type.
    assert pod["properties"]["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert "desired behavior" in pod["properties"]["spec"]["description"]


def test_what_is_not_served_has_no_document() -> None:
    assert openapi.document(BUILTIN, "apis/resource.k8s.io/v1") is None


def test_a_custom_resource_is_described_by_its_schema() -> None:
    body = document("apis/example.org/v1", [*BUILTIN, Row(WIDGET, SCHEMA)])
    widget = body["components"]["schemas"]["org.example.v1.Widget"]
    assert widget["properties"]["spec"]["description"] == "What is wanted."
    assert set(widget["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert widget["x-kubernetes-group-version-kind"] == [{"group": "example.org", "version": "v1", "kind": "Widget"}]
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in body["components"]["schemas"]
    paths = "/apis/example.org/v1/namespaces/{namespace}/widgets/{name}"
    assert {"get", "put", "patch", "delete", "parameters"} == set(body["paths"][paths])
    assert {"get", "put", "patch", "parameters"} == set(body["paths"][f"{paths}/status"])


def test_an_address_changes_when_and_only_when_its_document_does() -> None:
    before = openapi.index([*BUILTIN, Row(WIDGET, SCHEMA)])["paths"]
    changed: Object = {**SCHEMA, "required": ["spec"]}
    after = openapi.index([*BUILTIN, Row(WIDGET, changed)])["paths"]
    assert {path for path in before if before[path] != after[path]} == {"apis/example.org/v1"}
