"""Through the real Envoy: endpoint tokens open one thing and nothing else, limits hold, mirrors get copies."""

from __future__ import annotations

import asyncio

import pytest
from running_gateway import Gateway, to

from fairway.cluster.api.identity.tokens import AUDIENCE
from fairway.kernel.objects import meta
from fairway.kernel.objects.errors import Unauthorized
from fairway.kernel.objects.kinds import HTTP_ROUTE, SECRET, Object

pytestmark = pytest.mark.slow

ENDPOINT = {"fairway.dev/endpoint": "iris"}


async def holder(here: Gateway, opens: str, name: str = "t", *, namespace: str = "default", seconds: float = 60) -> str:
    """An endpoint token, bound to a Secret that says what it opens."""
    metadata = {"labels": {"fairway.dev/endpoint-token": "true"}, "annotations": {"fairway.dev/opens": opens}}
    secret = await here.client.create(SECRET, SECRET.new(name, namespace, metadata=metadata))
    bound = {"kubernetes.io": {"namespace": namespace, "secret": {"name": name, "uid": meta.uid(secret)}}}
    user = f"system:serviceaccount:{namespace}:default"
    return here.issuer.mint(user, seconds=seconds, audiences=["fairway-endpoint"], extra=bound)


async def ask(here: Gateway, path: str, token: str, **headers: str) -> int:
    return (await here.get(path, token=False, Authorization=f"Bearer {token}", **headers))[0]


async def until(here: Gateway, path: str, token: str, status: int) -> None:
    async with asyncio.timeout(60):
        while await ask(here, path, token) != status:
            await asyncio.sleep(0.02)


async def services(here: Gateway) -> None:
    backend = await here.backend("a")
    await here.service("model", backend)
    await here.route("iris", to("model", "/iris", rewrite="/"), **ENDPOINT)
    await here.route("host", to("model", "/"), hostnames=("iris.example.com",), **ENDPOINT)
    await here.route("other", to("model", "/other"), **{"fairway.dev/endpoint": "other"})
    await here.route("plain", to("model", "/plain"))


async def test_an_endpoint_token_opens_its_endpoint_and_nothing_else(here: Gateway) -> None:
    await services(here)
    token = await holder(here, "iris")
    await until(here, "/iris/v1/models/iris:predict", token, 200)
    assert await ask(here, "/v1/models", token, Host="iris.example.com") == 200
    assert await ask(here, "/other/v1", token) == 403
    assert await ask(here, "/plain", token) == 403
    # What is the server's own business stays closed, however it is spelled.
    for path in ("metrics", "v2/repository/models/iris/unload", "v2%2Frepository/models/iris/unload", "metrics/",
                 "/v2//repository/models/iris/unload", "metrics//",
                 "inference.GRPCInferenceService/RepositoryModelUnload"):  # fmt: skip
        assert await ask(here, f"/iris/{path}", token) == 403, path
    # The API and the front door have another audience.
    with pytest.raises(Unauthorized):
        here.issuer.verify(token, audience=AUDIENCE)
    # The platform's own tokens open all of it as before.
    for path in ("/iris/metrics", "/other", "/plain"):
        assert (await here.get(path))[0] == 200


async def test_the_model_sees_no_endpoint_token(here: Gateway) -> None:
    await services(here)
    token = await holder(here, "iris")
    await until(here, "/iris", token, 200)
    _, answer = await here.get("/iris", token=False, Authorization=f"Bearer {token}")
    assert "authorization" not in answer["headers"]
    # Nor does a service that is open to all: it could use the token at the endpoint that it opens.
    await here.route("open", to("model", "/open"), **{"fairway.dev/auth": "none"})
    assert (await here.get("/open", token=False))[0] == 200
    _, answer = await here.get("/open", token=False, Authorization=f"Bearer {token}")
    assert "authorization" not in answer["headers"]


async def test_a_token_of_a_namespace_opens_its_services_and_those_of_no_other(here: Gateway) -> None:
    await services(here)
    token = await holder(here, "*")
    await until(here, "/iris", token, 200)
    assert await ask(here, "/other", token) == 200
    assert await ask(here, "/plain", token) == 403
    stranger = await holder(here, "*,iris", "s", namespace="kube-system")
    assert await ask(here, "/iris", stranger) == 403


async def test_a_token_ends_when_its_secret_goes_or_its_time_comes(here: Gateway) -> None:
    await services(here)
    token = await holder(here, "iris")
    await until(here, "/iris", token, 200)
    await here.client.delete(SECRET, "t", "default")
    await until(here, "/iris", token, 403)
    again = await holder(here, "iris")  # a Secret of the same name is another one
    await until(here, "/iris", again, 200)
    assert await ask(here, "/iris", token) == 403
    ended = here.issuer.mint("x", seconds=-120, audiences=["fairway-endpoint"])
    assert await ask(here, "/iris", ended) == 401


async def test_a_token_without_a_secret_opens_nothing(here: Gateway) -> None:
    await services(here)
    await until(here, "/iris", await holder(here, "iris"), 200)
    bare = here.issuer.mint("system:serviceaccount:default:default", seconds=60, audiences=["fairway-endpoint"])
    assert await ask(here, "/iris", bare) == 403


async def test_an_endpoint_is_counted_over_all_its_routes(here: Gateway) -> None:
    backend = await here.backend("a")
    await here.service("model", backend)
    limited = {**ENDPOINT, "fairway.dev/rate-limit": "5/h"}
    await here.route("iris", to("model", "/iris"), **limited)
    await here.route("host", to("model", "/"), hostnames=("iris.example.com",), **limited)
    await here.route("free", to("model", "/free"))
    async with asyncio.timeout(60):
        while (await here.get("/free"))[1].get("who") != "a":  # the last of the routes is the last that it hears of
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # each of its threads
    before = backend.served
    statuses = [(await here.get("/iris"))[0] for _ in range(3)]
    statuses += [(await here.get("/", Host="iris.example.com"))[0] for _ in range(4)]
    assert statuses == [200] * 5 + [429] * 2
    async with here.http.get(here.url("/iris"), headers=here.token) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "720")
        assert "more requests than this service takes" in (await answer.json())["error"]
    for path in ("/iris/openai/v1/models", "/iris/v1/chat/completions?a=b"):  # OpenAI's clients read errors as objects
        async with here.http.get(here.url(path), headers=here.token) as answer:
            error = (await answer.json())["error"]
            assert "more requests than this service takes" in error.pop("message")
            assert (answer.status, error) == (429, {"type": "rate_limit_error", "param": None, "code": None})
    async with here.http.get(here.url("/iris/v1/completions")) as answer:
        assert (answer.status, (await answer.json())["error"]["type"]) == (401, "invalid_request_error")
    async with here.http.post(
        here.url("/iris"), headers={**here.token, "Content-Type": "application/grpc", "TE": "trailers"}
    ) as answer:
        assert answer.headers["grpc-status"] == "8", "RESOURCE_EXHAUSTED"
    assert (await here.get("/free"))[0] == 200
    assert backend.served == before + 6


async def test_each_token_is_counted_by_itself(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    await here.route("iris", to("model", "/iris"), **ENDPOINT, **{"fairway.dev/rate-limit-per-token": "2/h"})
    await here.route("other", to("model", "/other"), **{"fairway.dev/rate-limit-per-token": "1/h"})
    first, second = await holder(here, "iris", "one"), await holder(here, "iris", "two")
    await until(here, "/iris/metrics", second, 403)  # refused before it is counted
    await asyncio.sleep(0.3)
    for token in (first, second):
        assert [await ask(here, "/iris", token) for _ in range(3)] == [200, 200, 429]
    assert [(await here.get("/iris"))[0] for _ in range(3)] == [200, 200, 429]
    assert [(await here.get("/other"))[0] for _ in range(2)] == [200, 429]


async def test_a_limit_that_is_no_rate_is_refused_in_the_routes_status(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    told = await here.route("iris", to("model", "/iris"), **{"fairway.dev/rate-limit": "fast"})
    assert "write requests and s, m, h or d" in accepted(told)["message"]


async def test_a_mirror_gets_copies_and_nobody_waits_for_it(here: Gateway) -> None:
    real, shadow = await here.backend("real"), await here.backend("shadow")
    await here.service("model", real)
    await here.service("next", shadow)
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "next", "port": 80}}}
    await here.route("all", {**to("model", "/all"), "filters": [mirror]})
    none = {"type": "RequestMirror", "requestMirror": {**mirror["requestMirror"], "percent": 0}}  # type: ignore[dict-item]
    await here.route("none", {**to("model", "/none"), "filters": [none]})
    for _ in range(5):
        assert (await here.get("/all"))[1]["who"] == "real"
        assert (await here.get("/none"))[1]["who"] == "real"
    async with asyncio.timeout(60):
        while shadow.served < 5:
            await asyncio.sleep(0.02)
    assert (real.served, shadow.served) == (10, 5)
    await shadow.stop()
    assert [(await here.get("/all"))[0] for _ in range(5)] == [200] * 5


async def test_mirrors_that_cannot_be_are_named(here: Gateway) -> None:
    await here.service("model", await here.backend("a"))
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "model", "port": 80}, "percent": 120}}
    told = await here.route("much", {**to("model", "/much"), "filters": [mirror]})
    assert "copies 120 of 100" in accepted(told)["message"]


def accepted(route: Object) -> Object:
    return dict(route["status"]["parents"][0]["conditions"][0])


async def test_requests_with_a_header_go_elsewhere(here: Gateway) -> None:
    await here.service("old", await here.backend("old"))
    await here.service("new", await here.backend("new"))
    chosen = to("new", "/m")
    chosen["matches"][0]["headers"] = [{"name": "X-Group", "value": "testers"}]
    await here.route("m", to("old", "/m"), chosen)
    assert (await here.get("/m"))[1]["who"] == "old"
    assert (await here.get("/m", **{"X-Group": "testers"}))[1]["who"] == "new"
    assert await here.client.find(HTTP_ROUTE, "m", "default")
