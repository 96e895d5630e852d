"""What a service's annotations ask of its traffic is on its routes, and what they ask wrongly is refused."""

from typing import Any

import pytest

from fairway.serving.component import Backend, Entry, Ports
from fairway.serving.render import routes, traffic
from fairway.serving.render.place import Place

ENTRY = Entry((Backend("iris-predictor", ports=Ports(8080, 8081)),))


def isvc(**annotations: str) -> Any:
    given = {f"serving.fairway.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {"metadata": {"name": "iris", "namespace": "ns", "annotations": given}, "spec": {}}


def made(service: Any) -> list[Any]:
    return [routes.host_route(service, ENTRY, Place("example.com", "http://x")), routes.path_route(service, ENTRY)]


def test_limits_and_the_endpoint_are_on_each_route_and_go_when_taken_back() -> None:
    for route in made(isvc(rate_limit="100/s")):
        given = route["metadata"]["annotations"]
        assert given["fairway.dev/endpoint"] == "iris"
        assert given["fairway.dev/rate-limit"] == "100/s"
        assert given["fairway.dev/rate-limit-per-token"] == ""


def test_a_mirror_is_a_filter_of_all_rules() -> None:
    for route in made(isvc(mirror="iris-next:10")):
        for rule in route["spec"]["rules"]:
            (found,) = [one["requestMirror"] for one in rule["filters"] if one["type"] == "RequestMirror"]
            assert (found["backendRef"]["name"], found["percent"]) == ("iris-next-predictor", 10)


def test_a_header_chooses_before_all_others_and_is_not_mirrored() -> None:
    for route in made(isvc(route_by_header="X-Group=testers:iris-next", mirror="shadow")):
        first, *rest = route["spec"]["rules"]
        assert first["matches"][0]["headers"] == [{"type": "Exact", "name": "X-Group", "value": "testers"}]
        assert first["backendRefs"][0]["name"] == "iris-next-predictor"
        assert "RequestMirror" not in [one["type"] for one in first["filters"]]
        assert all(rule["backendRefs"][0]["name"] == "iris-predictor" for rule in rest)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rate_limit": "fast"}, "is no rate"),
        ({"rate_limit_per_token": "10"}, "is no rate"),
        ({"mirror": "Next"}, "no service with a percentage"),
        ({"mirror": "next:101"}, "no service with a percentage"),
        ({"route_by_header": "X-Group"}, "is no choice"),
    ],
)
def test_mistakes_are_sentences(given: dict[str, str], says: str) -> None:
    (sentence,) = traffic.mistakes(isvc(**given))
    assert says in sentence


def test_what_is_well_written_is_no_mistake() -> None:
    asked = isvc(rate_limit="1/d", rate_limit_per_token="5/m", mirror="n", route_by_header="a=b:c, d=e:f")
    assert not list(traffic.mistakes(asked))
