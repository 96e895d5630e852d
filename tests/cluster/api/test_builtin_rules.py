"""Built-in kinds: the defaults that clients compare with, and the mistakes that users make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fairway.kernel.client.client import Client
from fairway.kernel.feature import Identity
from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import (
    CLUSTER_ROLE,
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    JOB,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
    Object,
)
from tests.cluster.api.world import World

CONTAINER = {"name": "c", "image": "nginx"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.fixture
def client(world: World) -> Client:
    """The rules are the same on both faces; one is enough here."""
    return Client(world.server.transport(Identity("admin", ("system:masters",))))


def template(**spec: Any) -> Object:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER], **spec}}


def in_zones(*zones: str) -> Object:
    """An affinity for nodes: a term for each zone."""
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]} for zone in zones]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}


def deployment(**spec: Any) -> Object:
    return {"selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec}


def rolling(**limits: Any) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": limits}


async def test_a_pod_gets_what_it_does_not_say(client: Client) -> None:
    probe = {"httpGet": {"port": 80}}
    limits = {"limits": {"cpu": 1, "memory": "1Gi"}}
    container = {**CONTAINER, "ports": [{"containerPort": 80}], "readinessProbe": probe, "resources": limits}
    volumes = [{"name": "a"}, {"name": "b", "configMap": {"name": "x"}}]
    made = await client.create(POD, POD.new("p", "default", spec={"containers": [container], "volumes": volumes}))
    spec = made["spec"]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]) == (
        "Always",
        30,
        "ClusterFirst",
    )
    assert spec["serviceAccountName"] == "default"
    assert spec["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "x", "defaultMode": 420}},
    ]
    (got,) = spec["containers"]
    assert got["imagePullPolicy"] == "Always", "an image without a tag is the latest"
    assert got["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert got["resources"]["requests"] == got["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert got["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert made["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}


async def test_a_deployment_and_a_job_get_theirs(client: Client) -> None:
    made = (await client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=deployment())))["spec"]
    assert (made["replicas"], made["revisionHistoryLimit"], made["progressDeadlineSeconds"]) == (1, 10, 600)
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert made["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    job = await client.create(JOB, JOB.new("j", "default", spec={"template": template(restartPolicy="Never")}))
    assert (job["spec"]["backoffLimit"], job["spec"]["completions"], job["spec"]["parallelism"]) == (6, 1, 1)
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert job["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"


async def test_a_secrets_plain_text_becomes_data(client: Client) -> None:
    made = await client.create(SECRET, SECRET.new("s", "default", stringData={"user": "me"}))
    assert (made["data"], made["type"], "stringData" in made) == ({"user": "bWU="}, "Opaque", False)


async def test_what_go_clients_leave_empty_is_absent(client: Client) -> None:
    body = DEPLOYMENT.new("web", "default", spec=deployment(strategy={}), status={})
    body["metadata"]["creationTimestamp"] = None
    body["spec"]["template"]["metadata"]["creationTimestamp"] = None
    made = await client.create(DEPLOYMENT, body)
    assert made["metadata"]["creationTimestamp"]
    assert "creationTimestamp" not in made["spec"]["template"]["metadata"]


def with_volume(**source: Any) -> Object:
    return {"spec": {"containers": [CONTAINER], "volumes": [{"name": "v", **source}]}}


def on_nodes(operator: str, *values: str) -> Object:
    term = {"matchExpressions": [{"key": "zone", "operator": operator, "values": list(values)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def beside(operator: str) -> Object:
    term = {"topologyKey": "zone", "labelSelector": {"matchExpressions": [{"key": "a", "operator": operator}]}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def with_source(**source: Any) -> Object:
    return with_volume(projected={"sources": [source]})


ODD: Object = {"matchExpressions": [{"key": "a", "operator": "Perhaps"}]}
NO_OPERATOR = "not a valid selector operator"
CLAIMED = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
OFFERED = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/tmp/there"}}


def odd_selectors() -> Iterator[tuple[Object, str]]:
    """What a pod may not say of the nodes and the pods beside which it wants to be."""
    for term in ({"labelSelector": ODD}, {"labelSelector": {}, "namespaceSelector": ODD}):
        for kind in ("podAffinity", "podAntiAffinity"):
            yield {"affinity": {kind: {REQUIRED: [{"topologyKey": "zone", **term}]}}}, NO_OPERATOR
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    yield {"topologySpreadConstraints": [{**spread, "labelSelector": ODD}]}, NO_OPERATOR
    yield {"topologySpreadConstraints": [{**spread, "maxSkew": 0}]}, "must be greater than zero"
    for key, operator, text in (
        ("zone", "Perhaps", NO_OPERATOR),
        ("zone", "Gt", "must be specified single value"),
        ("zone", "In", "must be specified when `operator` is 'In' or 'NotIn'"),
        ("no label", "Exists", "name part must consist of alphanumeric characters"),
    ):
        terms = [{"matchExpressions": [{"key": key, "operator": operator}]}]
        yield {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}}, text
    yield {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}}, "at least one node selector term"


def scaled(**rules: Any) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"spec": {"scaleTargetRef": target, "maxReplicas": 2, "behavior": {"scaleUp": rules}}}


def odd_behavior() -> Iterator[tuple[Object, str]]:
    """How an autoscaler may not go up."""
    policy = {"type": "Pods", "value": 1, "periodSeconds": 60}
    yield {"policies": []}, "must specify at least one Policy"
    yield {"policies": [{**policy, "type": "Some"}]}, r'policies\[0\]\.type: Unsupported value: "Some"'
    yield {"policies": [{**policy, "value": 0}]}, r"policies\[0\]\.value: Invalid value: 0: must be greater than zero"
    yield {"policies": [{**policy, "periodSeconds": 1801}]}, "must be less than or equal to 1800"
    yield {"stabilizationWindowSeconds": 3601}, "must be less than or equal to 3600"
    yield {"stabilizationWindowSeconds": -1}, "must be greater than or equal to zero"
    yield {"selectPolicy": "Some"}, 'supported values: "Disabled", "Max", "Min"'
    yield {"tolerance": "-1"}, "tolerance: Invalid value"


MISTAKES: list[tuple[Kind, Object, str]] = [
    (POD, {"spec": {"containers": []}}, r"spec\.containers: Required value"),
    (
        POD,
        {"spec": {"containers": [{**CONTAINER, "ports": [{"containerPort": 80, "hostPort": 99999}]}]}},
        r"hostPort: Invalid value: 99999: must be between 1 and 65535, inclusive",
    ),
    (POD, {"spec": {"containers": [{"name": "c"}]}}, r"spec\.containers\[0\]\.image: Required value"),
    (POD, {"spec": {"containers": [CONTAINER, CONTAINER]}}, r'spec\.containers\[1\]\.name: Duplicate value: "c"'),
    (POD, {"spec": {"containers": [CONTAINER], "restartPolicy": "No"}}, r'Unsupported value: "No": supported values'),
    (
        POD,
        {"spec": {"containers": [{**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}},
        r'volumeMounts\[0\]\.name: Not found: "v"',
    ),
    (
        POD,
        {"spec": {"containers": [{**CONTAINER, "resources": {"limits": {"cpu": 1}, "requests": {"cpu": "1500m"}}}]}},
        "must be less than or equal to cpu limit of 1",
    ),
    (
        DEPLOYMENT,
        {"spec": deployment(selector={"matchLabels": {"app": "x"}})},
        "`selector` does not match template `labels`",
    ),
    (DEPLOYMENT, {"spec": deployment(replicas=-1)}, "must be greater than or equal to 0"),
    (DEPLOYMENT, {"spec": deployment(strategy=rolling(maxSurge="some"))}, "a valid percent string must be"),
    (DEPLOYMENT, {"spec": deployment(strategy=rolling(maxSurge="9" * 5000 + "%"))}, "a valid percent string must be"),
    (DEPLOYMENT, {"spec": deployment(strategy=rolling(maxUnavailable="101%"))}, "must not be greater than 100%"),
    (
        DEPLOYMENT,
        {"spec": deployment(strategy=rolling(maxUnavailable=0, maxSurge="0%"))},
        "may not be 0 when `maxSurge` is 0",
    ),
    (
        DEPLOYMENT,
        {"spec": deployment(template=template(activeDeadlineSeconds=1))},
        "activeDeadlineSeconds in ReplicaSet is not Supported",
    ),
    (STATEFUL_SET, {"spec": deployment(ordinals={"start": -1})}, r"start: Invalid value: -1"),
    (STATEFUL_SET, {"spec": deployment(updateStrategy=rolling(partition=-1))}, r"partition: Invalid value: -1"),
    (DAEMON_SET, {"spec": deployment(updateStrategy=rolling(maxUnavailable="x"))}, "a valid percent string must be"),
    (DEPLOYMENT, {"spec": {"template": template()}}, r"spec\.selector: Required value"),
    (JOB, {"spec": {"template": template()}}, r'restartPolicy: Required value: valid values: "OnFailure", "Never"'),
    (SERVICE, {"spec": {"ports": [{"port": 0}]}}, "must be between 1 and 65535, inclusive"),
    (SERVICE, {"spec": {}}, r"spec\.ports: Required value"),
    (SERVICE, {"spec": {"ports": [{"port": 80, "name": name} for name in "ab"]}}, r"spec\.ports\[1\]: Duplicate value"),
    (CONFIG_MAP, {"data": {"a b": "x"}}, "a valid config key must consist of"),
    (CONFIG_MAP, {"data": {"..a": "x"}}, r"must not start with '\.\.'"),
    (CONFIG_MAP, {"binaryData": {"a": "abc"}}, "put plain text under data"),
    (SECRET, {"data": {"a": "not base64"}}, "put plain text under stringData"),
    (POD, with_volume(configMap={}), r"spec\.volumes\[0\]\.configMap\.name: Required value"),
    (POD, with_volume(secret={}), r"secret\.secretName: Required value"),
    (POD, with_volume(hostPath={"path": "/a/../etc"}), r"hostPath\.path: .*must not contain '\.\.'"),
    (POD, with_volume(hostPath={"path": "/a", "type": "Any"}), 'hostPath.type: Unsupported value: "Any"'),
    (POD, with_volume(downwardAPI={"items": [{"path": "x"}]}), "one of fieldRef and resourceFieldRef is required"),
    (POD, with_source(configMap={}), r"projected\.sources\[0\]\.configMap\.name: Required value"),
    (POD, with_source(serviceAccountToken={"path": "../x"}), r"serviceAccountToken\.path: .*must not contain '\.\.'"),
    (POD, with_source(serviceAccountToken={"path": "x", "expirationSeconds": 1}), "a duration less than 10 minutes"),
    (POD, with_source(secret={"name": "s", "items": [{"key": "k", "path": "/x"}]}), "must be a relative path"),
    (POD, {"spec": {"containers": [{**CONTAINER, "readinessProbe": {}}]}}, "must specify a handler type"),
    (POD, {"spec": {"containers": [CONTAINER], "affinity": beside("Foo")}}, "not a valid selector operator"),
    (POD, {"spec": {"containers": [CONTAINER], "affinity": on_nodes("Foo", "a")}}, "not a valid selector operator"),
    (POD, {"spec": {"containers": [CONTAINER], "affinity": on_nodes("Gt", "a")}}, "must be an integer"),
    (POD, {"spec": {"containers": [CONTAINER], "affinity": on_nodes("In")}}, "`operator` is 'In' or 'NotIn'"),
    (
        POD,
        {"spec": {"containers": [CONTAINER], "tolerations": [{"key": "a", "operator": "Likes"}]}},
        r'tolerations\[0\]\.operator: Unsupported value: "Likes"',
    ),
    (
        POD_DISRUPTION_BUDGET,
        {"spec": {"maxUnavailable": 1, "selector": {"matchExpressions": [{"key": "a", "operator": "Foo"}]}}},
        "not a valid selector operator",
    ),
    (
        POD,
        {"spec": {"containers": [{**CONTAINER, "livenessProbe": {"exec": {"command": ["x"]}, "periodSeconds": -1}}]}},
        r"livenessProbe\.periodSeconds: .*must be greater than or equal to 0",
    ),
    (POD, {"spec": {"containers": [{**CONTAINER, "env": [{"name": "a", "valueFrom": {}}]}]}}, "must specify one of:"),
    (
        POD,
        {"spec": {"containers": [{**CONTAINER, "envFrom": [{"secretRef": {}}]}]}},
        r"envFrom\[0\]\.secretRef\.name: Required value",
    ),
    (POD, {"spec": {"containers": [{**CONTAINER, "env": [{"name": "A=B"}]}]}}, "other than '='"),
    (POD, {"spec": {"containers": [{**CONTAINER, "env": [{"name": "A\0B"}]}]}}, r"env\[0\]\.name: Invalid value"),
    (POD, {"spec": {"containers": [CONTAINER], "hostname": "A host"}}, r"spec\.hostname: Invalid value"),
    (DEPLOYMENT, {"spec": deployment(template=template(subdomain="a.b"))}, r"template\.spec\.subdomain: Invalid value"),
    (
        POD,
        {"spec": {"containers": [CONTAINER], "hostAliases": [{"ip": "1.2.3", "hostnames": ["a"]}]}},
        r"hostAliases\[0\]\.ip: .*must be a valid IP address",
    ),
    (
        POD,
        {"spec": {"containers": [CONTAINER], "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a\n1.2.3.4 b"]}]}},
        r"hostAliases\[0\]\.hostnames\[0\]: Invalid value",
    ),
    (POD, {"metadata": {"labels": {"a": "b c"}}, "spec": {"containers": [CONTAINER]}}, "a valid label must be"),
    *((POD, {"spec": {"containers": [CONTAINER], **spec}}, text) for spec, text in odd_selectors()),
    *((HORIZONTAL_POD_AUTOSCALER, scaled(**rules), text) for rules, text in odd_behavior()),
    (POD_DISRUPTION_BUDGET, {"spec": {"minAvailable": 1, "selector": ODD}}, NO_OPERATOR),
    (CLUSTER_ROLE, {"aggregationRule": {"clusterRoleSelectors": [ODD]}}, NO_OPERATOR),
    (PERSISTENT_VOLUME_CLAIM, {"spec": {**CLAIMED, "selector": ODD}}, NO_OPERATOR),
    (PERSISTENT_VOLUME, {"spec": {**OFFERED, "nodeAffinity": {"required": {"nodeSelectorTerms": [ODD]}}}}, NO_OPERATOR),
]


@pytest.mark.parametrize(
    ("kind", "fields", "text"), MISTAKES, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_mistakes_are_named(client: Client, kind: Kind, fields: Object, text: str) -> None:
    with pytest.raises(errors.Invalid, match=text):
        await client.create(kind, kind.new("x", "default" if kind.namespaced else None, **fields))


async def test_a_field_of_the_wrong_type_is_a_bad_request(client: Client) -> None:
    with pytest.raises(
        errors.BadRequest, match=r'Deployment in version "v1" cannot be handled as a Deployment.*spec\.replicas'
    ):
        await client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=deployment(replicas="three")))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"nodeSelector": {"zone": "b"}}, "only additions to spec.nodeSelector are allowed"),
        ({"affinity": in_zones("a", "b")}, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
        ({"affinity": in_zones("b")}, r"only additions are allowed \(no mutations or deletions\)"),
        ({"schedulingGates": [{"name": "g/2"}]}, "only deletion is allowed, but found new scheduling gate 'g/2'"),
        ({"affinity": {**in_zones("a"), "podAntiAffinity": {}}}, "pod updates may not change fields other than"),
        ({"nodeSelector": {"zone": "a", "disk": "fast"}, "affinity": in_zones("a"), "schedulingGates": None}, ""),
    ],
)
async def test_a_pod_that_is_held_back_may_only_be_held_back_less(client: Client, change: Object, text: str) -> None:
    held: Object = {"nodeSelector": {"zone": "a"}, "affinity": in_zones("a"), "schedulingGates": [{"name": "g/1"}]}
    made = await client.create(POD, POD.new("p", "default", spec={"containers": [CONTAINER], **held}))
    changed = {**made, "spec": {**made["spec"], **change}}
    if text:
        with pytest.raises(errors.Invalid, match=text):
            await client.update(POD, changed)
    else:
        assert "schedulingGates" not in (await client.update(POD, changed))["spec"]


async def test_what_may_not_change_does_not(client: Client) -> None:
    await client.create(POD, POD.new("p", "default", spec={"containers": [CONTAINER], "tolerations": [{"key": "a"}]}))
    with pytest.raises(errors.Invalid, match="pod updates may not change fields other than"):
        await client.patch(POD, "p", "default", {"spec": {"hostname": "x"}})
    await client.patch(POD, "p", "default", {"spec": {"activeDeadlineSeconds": 5}})
    with pytest.raises(errors.Invalid, match="existing toleration can not be modified except its tolerationSeconds"):
        await client.patch(POD, "p", "default", {"spec": {"tolerations": []}})
    await client.create(DEPLOYMENT, DEPLOYMENT.new("web", "default", spec=deployment()))
    with pytest.raises(errors.Invalid, match=r"spec\.selector: Invalid value: .*field is immutable"):
        await client.patch(DEPLOYMENT, "web", "default", {"spec": {"selector": {"matchLabels": {"app": None}}}})
    await client.create(CONFIG_MAP, CONFIG_MAP.new("c", "default", data={"a": "1"}, immutable=True))
    with pytest.raises(errors.Invalid, match="field is immutable when `immutable` is set"):
        await client.patch(CONFIG_MAP, "c", "default", {"data": {"a": "2"}})


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"endpoints": [{"addresses": ["127.64.0.9\n127.64.0.9 web.other"]}]}, "endpoints[0].addresses[0]"),
        ({"endpoints": [{"addresses": ["127.64.0.9"], "hostname": "a\nb"}]}, "endpoints[0].hostname"),
        ({"endpoints": [{"addresses": []}]}, "endpoints[0].addresses"),
        ({"ports": [{"port": 70000}]}, "ports[0].port"),
        ({"addressType": "Any"}, "addressType"),
    ],
)
async def test_endpoints_are_addresses_and_nothing_more(client: Client, more: Object, where: str) -> None:
    """They stand in files that all pods read."""
    good: Object = {"addressType": "IPv4", "endpoints": [{"addresses": ["127.64.0.9"]}], "ports": [{"port": 80}]}
    with pytest.raises(errors.Invalid) as refused:
        await client.create(ENDPOINT_SLICE, ENDPOINT_SLICE.new("e", "default", **{**good, **more}))
    assert [cause["field"] for cause in refused.value.details["causes"]] == [where]
    await client.create(ENDPOINT_SLICE, ENDPOINT_SLICE.new("e", "default", **good))
    with pytest.raises(errors.Invalid, match="externalName"):
        spec = {"type": "ExternalName", "externalName": "a\nb"}
        await client.create(SERVICE, SERVICE.new("s", "default", spec=spec))


async def test_long_lists_are_judged_in_time_that_grows_with_them(client: Client) -> None:
    tolerations = [{"key": f"k{number}", "operator": "Exists"} for number in range(25_000)]
    await client.create(POD, POD.new("p", "default", spec={"containers": [CONTAINER], "tolerations": tolerations}))
    more = [{"key": "new", "operator": "Exists"}, *tolerations[::-1]]
    await client.patch(POD, "p", "default", {"spec": {"tolerations": more}})
    codes = {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": list(range(200_000))}}
    spec = {"template": template(restartPolicy="Never"), "podFailurePolicy": {"rules": [codes]}}
    with pytest.raises(errors.Invalid, match="Too many: 200000: must have at most 255 items"):
        await client.create(JOB, JOB.new("j", "default", spec=spec))
