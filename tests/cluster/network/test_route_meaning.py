"""HTTPRoutes, Services and slices to Envoy's resources, on paper: golden pairs for what a field becomes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from fairway.cluster.network import durations, route_status, service_limits
from fairway.cluster.network.admin import Admin
from fairway.cluster.network.bootstrap import ADMIN_SOCKET, bootstrap
from fairway.cluster.network.config import NetworkConfig
from fairway.cluster.network.render import Resources, render
from fairway.kernel.objects.kinds import Object

GOLDEN = Path(__file__).parent / "golden"
CONFIG = NetworkConfig("127.0.0.1", 8080, ("127.0.0.1", 9000), Path("/run"), {"keys": []}, "https://issuer")
PARENT = {"name": "fairway", "namespace": "fairway-system"}


def route(*rules: Object, name: str = "r", hostnames: tuple[str, ...] = (), created: str = "") -> Object:
    return {
        "metadata": {"name": name, "namespace": "default", "creationTimestamp": created},
        "spec": {"parentRefs": [PARENT], "hostnames": list(hostnames), "rules": list(rules)},
    }


def service(**port: Any) -> Object:
    ports = [{"name": "http", "port": 80, **port}]
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "127.32.0.5", "ports": ports}}


def rule(path: str = "/", kind: str = "PathPrefix", backend: str = "web", **more: Any) -> Object:
    match = {"path": {"type": kind, "value": path}, **more.pop("match", {})}
    return {"matches": [match], "backendRefs": [{"name": backend, "port": 80}], **more}


def adding(headers: list[Object]) -> Object:
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": headers}}


def rendered(*routes: Object) -> Resources:
    return render(routes, [service()], [], [], CONFIG)


def only(found: Resources) -> dict[str, Any]:
    """The one route that is not the front door's."""
    (host,) = found.routes["virtual_hosts"]
    first, front = host["routes"]
    assert front["route"]["cluster"] == "front"
    return dict(first)


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_golden_pairs(case: Path) -> None:
    pair = yaml.safe_load(case.read_text())
    seen = pair["seen"]
    found = render(seen["routes"], seen["services"], seen["slices"], [], CONFIG)
    made = {"endpoints": found.endpoints, "routes": found.routes, "listeners": found.listeners}
    assert made == pair["made"]


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("Exact", "/a", {"path": "/a"}),
        ("PathPrefix", "/a/", {"path_separated_prefix": "/a"}),
        ("PathPrefix", "/", {"prefix": "/"}),
        ("RegularExpression", "/v[12]/.*", {"safe_regex": {"regex": "/v[12]/.*"}}),
    ],
)
def test_matches_of_paths(kind: str, path: str, expected: object) -> None:
    assert only(rendered(route(rule(path, kind))))["match"] == expected


def test_matches_of_headers_queries_and_methods_must_all_hold() -> None:
    match = {
        "headers": [{"name": "x-team", "value": "blue"}],
        "queryParams": [{"name": "v", "type": "RegularExpression", "value": "1|2"}],
        "method": "POST",
    }
    assert only(rendered(route(rule("/a", match=match))))["match"] == {
        "path_separated_prefix": "/a",
        "headers": [
            {"name": "x-team", "string_match": {"exact": "blue"}},
            {"name": ":method", "string_match": {"exact": "POST"}},
        ],
        "query_parameters": [{"name": "v", "string_match": {"safe_regex": {"regex": "1|2"}}}],
    }


@pytest.mark.parametrize(
    ("prefix", "replacement", "expected"),
    [
        ("/a.b", "/", {"regex_rewrite": {"pattern": {"regex": r"^/a\.b/*"}, "substitution": "/"}}),
        ("/a", "/b/", {"prefix_rewrite": "/b"}),
        ("/", "/b", {"prefix_rewrite": "/b/"}),
    ],
)
def test_a_replaced_prefix_leaves_no_double_slash(prefix: str, replacement: str, expected: dict[str, Any]) -> None:
    change = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}}
    made = only(rendered(route(rule(prefix, filters=[{"type": "URLRewrite", "urlRewrite": change}]))))
    assert expected.items() <= made["route"].items()


def test_headers_are_taken_literally() -> None:
    change = {"set": [{"name": "x-share", "value": "50%"}], "remove": ["x-old"]}
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": change}]
    made = only(rendered(route(rule(filters=filters))))
    (added,) = made["request_headers_to_add"]
    assert added == {"header": {"key": "x-share", "value": "50%%"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    assert "x-old" in made["request_headers_to_remove"]


def test_a_redirect_needs_no_backend() -> None:
    redirect = {"statusCode": 308, "hostname": "new.example.com", "path": {"replaceFullPath": "/home"}}
    filters = [{"type": "RequestRedirect", "requestRedirect": redirect}]
    made = only(rendered(route({"matches": [{}], "filters": filters})))
    assert made["redirect"] == {
        "response_code": "PERMANENT_REDIRECT",
        "host_redirect": "new.example.com",
        "path_redirect": "/home",
    }


def test_the_more_particular_match_wins_whatever_the_order() -> None:
    rules = [
        rule("/"),
        rule("/a"),
        rule("/a", match={"method": "GET"}),
        rule("/a/b"),
        rule("/a/b", "Exact"),
    ]
    expected = [{"path": "/a/b"}, {"path_separated_prefix": "/a/b"}]
    for ordered in (rules, rules[::-1]):
        (host,) = rendered(route(*ordered)).routes["virtual_hosts"]
        matches = [one["match"] for one in host["routes"]]
        assert matches[:2] == expected
        assert matches[2]["headers"] and matches[3] == {"path_separated_prefix": "/a"}
        assert matches[4] == {"prefix": "/"}


def test_a_host_has_its_own_routes_first_then_those_of_all_hosts() -> None:
    mine = route(rule("/"), name="mine", hostnames=("a.example.com",))
    everyones = route(rule("/serving"), name="everyones")
    every, own = rendered(everyones, mine).routes["virtual_hosts"]
    assert (every["name"], own["domains"]) == ("*", ["a.example.com"])
    assert [one["match"] for one in own["routes"]] == [
        {"prefix": "/"},
        {"path_separated_prefix": "/serving"},
        {"prefix": "/"},
    ]
    assert len(every["routes"]) == 2


def test_without_a_timeout_there_is_none_and_a_given_one_is_kept() -> None:
    assert only(rendered(route(rule())))["route"]["timeout"] == "0s"
    made = only(rendered(route(rule(timeouts={"request": "1m30s", "backendRequest": "500ms"}))))["route"]
    assert (made["timeout"], made["retry_policy"]["per_try_timeout"]) == ("90s", "0.5s")
    for wrong in ("10", "-1s", "1.5s", "ten"):
        with pytest.raises(ValueError, match="is not a duration"):
            durations.seconds(wrong)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (rule(filters=[{"type": "CORS"}]), "spec.rules[0].filters[0] of type CORS is not supported"),
        (rule(retry={"attempts": 3}), "spec.rules[0].retry is not supported"),
        (rule(timeouts={"request": "soon"}), "'soon' is not a duration"),
        (rule("/a(?=b)", "RegularExpression"), "uses look-around"),
        (rule("/a(", "RegularExpression"), "is not a regular expression"),
        (rule(r"/a\Z", "RegularExpression"), "takes"),
        (rule(r"/\u0041", "RegularExpression"), "takes"),
        (rule("(?x)/a", "RegularExpression"), "takes"),
        (rule("/a{2000}", "RegularExpression"), "takes"),
        (rule("/((a{100}){100}){100}", "RegularExpression"), "takes"),
        (rule(match={"headers": [{"name": "a", "value": "", "type": "RegularExpression"}]}), "takes"),
        (rule(match={"queryParams": [{"name": "q" * 2000, "value": "z"}]}), "has a name of at most"),
        (rule(filters=[adding([{"name": "a", "value": "x" * 20_000}])]), "is longer than 4096 characters"),
        (rule(filters=[adding([{"name": "a" * 20_000, "value": "x"}])]), "is not a header that a route may use"),
        (rule(filters=[adding([{"name": f"a{number}"} for number in range(1200)])]), "changes at most 16 headers"),
        (rule(backendRefs=[{"name": "web", "port": 80, "weight": 1_000_000}] * 5000), "are together at most"),
        (rule("no/slash"), "is not a path"),
        (rule("/a?b=c"), "is not a path"),
        (rule(match={"headers": [{"name": "x y", "value": "z"}]}), "is not a header"),
        (rule(match={"queryParams": [{"value": "z"}]}), "a query parameter that is matched has a name"),
        (rule(match={"headers": ["a"]}), "another type than it should"),
        (rule(filters=[{"type": "RequestMirror", "requestMirror": True}]), "another type than it should"),
        (rule(filters=[{"type": "URLRewrite", "urlRewrite": {"path": 1}}]), "another type than it should"),
        (rule(filters=[{"type": "RequestRedirect", "requestRedirect": {"scheme": "x"}}]), "use http or https"),
        (rule(filters=[{"type": "RequestRedirect", "requestRedirect": {"port": "x"}}]), "is not a port"),
        (rule(filters=[{"type": "RequestRedirect", "requestRedirect": {"hostname": "a b"}}]), "is not a host name"),
        ({"backendRefs": [{"name": "web", "port": 80, "filters": [{"type": "x"}]}]}, "backendRefs[0].filters is not"),
    ],
)
def test_what_is_not_supported_is_named_and_nothing_of_the_route_is_programmed(broken: Object, sentence: str) -> None:
    whole = route(rule("/fine"), broken) if "spec.rules[0]" not in sentence else route(broken, rule("/fine"))
    found = rendered(whole)
    assert len(found.routes["virtual_hosts"][0]["routes"]) == 1
    (parent,) = route_status.parents(whole, found.rendered["default", "r"], CONFIG, "now")
    accepted = parent["conditions"][0]
    assert (accepted["type"], accepted["status"]) == ("Accepted", "False")
    assert sentence in accepted["message"]


@pytest.mark.parametrize("more", [{"ports": [{"name": "http"}]}, {"addressType": "FQDN"}])
def test_what_leads_to_no_address_and_port_is_left_out(more: Object) -> None:
    piece = {
        "metadata": {"namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["example.com"]}],
        "ports": [{"name": "http", "port": 80}],
    }
    found = render([], [service()], [{**piece, **more}], [], CONFIG)
    assert found.endpoints["default.web.80"]["endpoints"] == [{"lb_endpoints": []}]


def test_a_host_name_that_is_none_is_said() -> None:
    found = rendered(route(rule(), hostnames=("a.*.com",)), route(rule(), name="good", hostnames=("*.example.com",)))
    assert "is not a host name" in found.rendered["default", "r"].refused
    assert [host["name"] for host in found.routes["virtual_hosts"]] == ["*", "*.example.com"]


def test_the_front_door_keeps_its_paths_and_its_names() -> None:
    config = replace(CONFIG, front_paths=("/", "/apis"), front_names=("localhost", "fairway.example.com"))
    greedy = route(rule("/"), rule("/apis", "Exact"), name="greedy")
    wild = route(rule("/"), name="wild", hostnames=("*.example.com",))
    posing = [
        route(rule("/"), name=name, hostnames=(name,)) for name in ("fairway.example.com", "127.0.0.1", "*.0.0.1")
    ]
    found = render([greedy, wild, *posing], [service()], [], [], config)
    front, own = found.routes["virtual_hosts"]
    assert front["domains"] == ["*", "localhost", "fairway.example.com"]
    assert [one["match"] for one in front["routes"][:2]] == [{"path": "/"}, {"path_separated_prefix": "/apis"}]
    assert all(one["route"]["cluster"] == "front" for one in front["routes"][:2])
    assert own["domains"] == ["*.example.com"]
    for one in posing:
        (parent,) = route_status.parents(one, found.rendered["default", one["metadata"]["name"]], config, "now")
        assert parent["conditions"][0]["status"] == "False"


def test_what_a_route_does_to_headers_cannot_undo_what_keeps_it_from_the_dashboard() -> None:
    header = {"name": "Content-Security-Policy", "value": "default-src *"}
    change = {"set": [header], "add": [header], "remove": ["content-security-policy"]}
    greedy = rule(filters=[{"type": "ResponseHeaderModifier", "responseHeaderModifier": change}])
    made = only(rendered(route(greedy)))
    assert made["response_headers_to_add"][-2]["header"] == {"key": "content-security-policy", "value": "sandbox"}
    assert {"set-cookie", "content-security-policy"} <= set(made["response_headers_to_remove"])
    assert made["request_headers_to_remove"] == ["cookie"]


@pytest.mark.parametrize(
    ("filled", "target", "silent"),
    [
        (("old",), {"cluster": "default.old.80"}, False),
        (("new",), {"cluster": "default.new.80"}, False),
        (("old", "new"), {"default.old.80": 90, "default.new.80": 10}, False),
        ((), {"default.old.80": 90, "default.new.80": 10}, True),
    ],
)
def test_who_has_no_endpoints_yet_has_no_share(filled: tuple[str, ...], target: Object, silent: bool) -> None:
    services = [{**service(), "metadata": {"name": name, "namespace": "default"}} for name in ("old", "new")]
    shared = rule()
    shared["backendRefs"] = [{"name": "old", "port": 80, "weight": 90}, {"name": "new", "port": 80, "weight": 10}]
    found = render([route(shared)], services, [_slice(name) for name in filled], [], CONFIG)
    to = only(found)["route"]
    shares = {one["name"]: one["weight"] for one in to.get("weighted_clusters", {}).get("clusters", ())}
    assert (shares or {"cluster": to["cluster"]}) == target
    assert _told_backends_ready(found) is not silent


def test_a_backend_that_does_not_exist_keeps_its_share_of_failures() -> None:
    shared = rule()
    shared["backendRefs"] = [{"name": name, "port": 80} for name in ("web", "nowhere")]
    found = render([route(shared)], [service()], [_slice("web")], [], CONFIG)
    clusters = only(found)["route"]["weighted_clusters"]["clusters"]
    assert {one["name"] for one in clusters} == {"default.web.80", "missing"}


def test_a_route_is_not_silent_because_a_header_leads_to_nobody() -> None:
    by_header = rule(backend="other", match={"headers": [{"name": "x-group", "value": "testers"}]})
    other = {**service(), "metadata": {"name": "other", "namespace": "default"}}
    found = render([route(by_header, rule())], [service(), other], [_slice("web")], [], CONFIG)
    assert _told_backends_ready(found)
    found = render([route(by_header, rule())], [service(), other], [_slice("other")], [], CONFIG)
    assert not _told_backends_ready(found)


def _slice(name: str) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": ["127.65.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
    }


def _told_backends_ready(found: Resources) -> bool:
    ((seen,), (one,)) = found.seen, found.rendered.values()
    (parent,) = route_status.parents(seen, one, CONFIG, "2026-01-01T00:00:00Z")
    told = {condition["type"]: condition["status"] for condition in parent["conditions"]}
    return told["fairway.dev/BackendsReady"] == "True"


def test_references_across_namespaces_and_to_other_kinds_are_not_resolved() -> None:
    refs = [
        {"name": "web", "namespace": "other", "port": 80},
        {"kind": "Bucket", "name": "b"},
        {"name": "x", "port": 1},
    ]
    found = rendered(route({"backendRefs": refs}))
    reasons = [reason for reason, _ in found.rendered["default", "r"].unresolved]
    assert reasons == ["RefNotPermitted", "InvalidKind", "BackendNotFound"]
    assert only(found)["route"]["cluster"] == "missing"


def test_routes_of_other_gateways_are_left_alone() -> None:
    other = route(rule())
    other["spec"]["parentRefs"] = [{"name": "istio", "namespace": "istio-system"}]
    other["status"] = {"parents": [{"controllerName": "istio.io/gateway", "conditions": []}]}
    found = rendered(other)
    assert not found.rendered
    assert route_status.parents(other, None, CONFIG, "now") == other["status"]["parents"]


def test_a_listener_that_the_gateway_does_not_have_is_said() -> None:
    lost = route(rule())
    lost["spec"]["parentRefs"] = [{**PARENT, "sectionName": "https"}]
    found = rendered(lost)
    assert len(found.routes["virtual_hosts"][0]["routes"]) == 1
    (parent,) = route_status.parents(lost, found.rendered["default", "r"], CONFIG, "now")
    (accepted,) = parent["conditions"]
    assert (accepted["status"], accepted["reason"]) == ("False", "NoMatchingParent")


def test_what_a_service_address_cannot_do_is_named() -> None:
    spec = {"type": "NodePort", "sessionAffinity": "ClientIP", "ports": [{"port": 53, "protocol": "UDP"}]}
    sentences = list(service_limits.refusals({"spec": spec}))
    assert [sentence.split(" is ")[0] for sentence in sentences] == [
        "port 53 with protocol UDP",
        "type NodePort",
        "sessionAffinity ClientIP",
    ]
    assert not list(service_limits.refusals(service()))


@pytest.mark.parametrize(
    ("port", "http2"),
    [({"name": "h2c"}, True), ({"name": "grpc-x"}, True), ({"appProtocol": "http"}, False), ({}, False)],
)
def test_a_port_says_whether_it_speaks_http2(port: Object, http2: bool) -> None:
    found = render([], [service(**port)], [], [], CONFIG)
    cluster = next(one for one in found.clusters if one["name"] == "default.web.80")
    assert ("typed_extension_protocol_options" in cluster) is http2


def test_every_request_needs_a_token_unless_its_route_says_otherwise() -> None:
    (listener,) = bootstrap(CONFIG)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    jwt = manager["http_filters"][0]["typed_config"]
    assert jwt["rules"] == [{"match": {"prefix": "/"}, "requires": {"provider_name": "api"}}]
    assert jwt["providers"]["api"]["forward"] is False
    assert json.loads(jwt["providers"]["api"]["local_jwks"]["inline_string"]) == {"keys": []}
    closed = only(rendered(route(rule())))
    assert "typed_per_filter_config" not in closed


def test_what_somebody_wrote_into_a_status_in_our_name_is_written_anew() -> None:
    whole = route(rule())
    found = rendered(whole).rendered["default", "r"]
    wanted = route_status.parents(whole, found, CONFIG, "now")
    for odd in (
        {},
        {"parentRef": PARENT},
        {"parentRef": PARENT, "conditions": [{"type": "Accepted", "status": "True"}]},
    ):
        said = {"parents": [{"controllerName": "fairway.dev/gateway", **odd}, {"controllerName": "another's"}]}
        (others, ours) = route_status.parents({**whole, "status": said}, found, CONFIG, "now")
        assert (others, ours) == ({"controllerName": "another's"}, *wanted)


def test_a_port_that_a_service_has_twice_is_told_to_envoy_once() -> None:
    """Two listeners of one name would make it refuse all that are new."""
    twice = service()
    twice["spec"]["ports"] = [{"name": "a", "port": 80}, {"name": "b", "port": 80}]
    found = render([], [twice], [], [], CONFIG)
    assert [one["name"] for one in found.listeners] == ["default.web.80"]
    assert [one["name"] for one in found.clusters].count("default.web.80") == 1


@pytest.mark.parametrize(
    "answer", ["{", "[]", "", "cluster.a.membership_total: many\nhttp.public.rds.public.update_success: x"]
)
async def test_half_an_answer_of_envoy_is_none(answer: str) -> None:
    """It is about to go, and must take nobody with it."""

    async def half(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=answer)

    runner = web.ServerRunner(web.Server(half))
    await runner.setup()
    with tempfile.TemporaryDirectory() as folder:  # its name is short, as that of a socket has to be
        await web.UnixSite(runner, f"{folder}/{ADMIN_SOCKET}").start()
        admin = Admin(Path(folder))
        for asked in (admin.clusters, admin.listeners):
            with pytest.raises(OSError, match="not understood"):
                await asked()
        if "many" in answer:
            for stats in (admin.filled, admin.route_updates):
                with pytest.raises(OSError, match="not understood"):
                    await stats()
        await runner.cleanup()
