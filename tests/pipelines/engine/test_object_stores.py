"""Artifacts in buckets, with a real S3 server: brought to steps, taken from them, found again, and never lost."""

from __future__ import annotations

import contextlib
import random
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from places import Here
from specs import Out, Spec, task
from sqlalchemy import select
from tests.s3_server import S3Server

from fairway.artifacts.settings import ArtifactsSettings
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, Object
from fairway.pipelines.engine import taking
from fairway.pipelines.stores import Stores
from fairway.pipelines.tables import artifacts, runs

pytestmark = pytest.mark.slow

MAKE = (
    "def run(size: int, marks: str, model: Output[Model], scores: Output[Metrics]) -> str:\n"
    "    import os\n"
    "    open(marks, 'a').write('made\\n')\n"
    "    os.makedirs(model.path)\n"
    "    open(model.path + '/weights', 'w').write('w' * size)\n"
    "    open(model.path + '/config', 'w').write('c')\n"
    "    scores.log_metric('accuracy', 0.5)\n"
    "    return model.uri\n"
)
USE = (
    "def run(gate: str, model: Input[Model], scores: Input[Metrics]) -> str:\n"
    "    import os, time\n"
    "    while not os.path.exists(gate):\n"
    "        time.sleep(0.02)\n"
    "    found = open(model.path + '/weights').read()\n"
    "    return f'{len(found)} {scores.metadata[\"accuracy\"]} {model.uri}'\n"
)


def _chain(marks: Path, *, size: int = 10, cached: bool = False, gate: Path | None = None) -> dict[str, Any]:
    made = {"model": "Model", "scores": "Metrics", "Output": str}
    spec = Spec().python("make", MAKE, {"size": int, "marks": str}, made)
    spec.python("use", USE, {"gate": str, "model": "Model", "scores": "Metrics"}, {"Output": str})
    given = {"model": Out("make", "model"), "scores": Out("make", "scores")}
    tasks = {
        "make": task("make", {"size": size, "marks": str(marks)}, cached=cached),
        "use": task("use", {"gate": str(gate or marks)}, given, cached=cached),
    }
    return spec.compiled(tasks, {}, {"told": str, "address": str}, told=Out("use"), address=Out("make"))


@pytest.fixture
async def far(here: Here, s3_server: S3Server, bucket: str, tmp_path: Path) -> AsyncGenerator[Here, None]:
    """A platform whose own artifacts are in a bucket."""
    keys = tmp_path / "keys"
    keys.write_text("\n".join(f"{name}={value}" for name, value in s3_server.credentials.items()))
    settings = ArtifactsSettings(url=f"s3://{bucket}/kept", credentials_file=str(keys))
    yield replace(here, stores=Stores(settings, settings.url, tmp_path / "fetched"))


async def _outputs(here: Here, run_id: str) -> dict[str, Any]:
    return dict(
        await here.records.read(lambda c: c.execute(select(runs.c.outputs).where(runs.c.id == run_id)).scalar())
    )


async def _failure(here: Here, run_id: str, path: str) -> str:
    return str((await here.rows(run_id))[path]["error_message"])


async def test_what_a_step_makes_is_in_the_bucket_and_the_next_step_reads_it(
    far: Here, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    async with far.engine():
        run_id = await far.submit(_chain(tmp_path / "marks"))
        assert (await far.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    rows = await far.rows(run_id)
    address = f"s3://{bucket}/kept/test-pipeline/{run_id}/make/{rows['make']['id']}/model"
    assert await _outputs(far, run_id) == {"told": f"10 0.5 {address}", "address": address}
    prefix = address.removeprefix(f"s3://{bucket}/")
    assert s3_server.keys(bucket) == [f"{prefix}/config", f"{prefix}/weights"]
    kept = await far.records.read(lambda c: c.execute(select(artifacts.c.uri)).scalars().all())
    assert all(uri.startswith(f"s3://{bucket}/kept/") for uri in kept if uri)  # single metrics have no address
    folder = Path(rows["make"]["folder"].removeprefix("file://"))
    assert not (folder / "outputs").exists(), "the bytes are kept twice"


async def test_the_cache_counts_what_is_still_in_the_bucket(
    far: Here, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    async with far.engine():
        for expected in (1, 1):
            run_id = await far.submit(_chain(marks, cached=True))
            assert (await far.ended(run_id))["status"]["phase"] == "SUCCEEDED"
            assert len(marks.read_text().split()) == expected
        for key in s3_server.keys(bucket):
            s3_server.delete(bucket, key)
        run_id = await far.submit(_chain(marks, cached=True))
        assert (await far.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert len(marks.read_text().split()) == 2


async def test_a_bucket_that_does_not_answer_is_not_waited_for_by_who_asks_the_cache(
    far: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks, keys = tmp_path / "marks", Path(far.stores.settings.credentials_file)
    async with far.engine():
        assert (await far.ended(await far.submit(_chain(marks, cached=True))))["status"]["phase"] == "SUCCEEDED"
    monkeypatch.setattr(taking, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and that is all
        others = [line for line in keys.read_text().splitlines() if not line.startswith("AWS_ENDPOINT_URL")]
        keys.write_text("\n".join([*others, f"AWS_ENDPOINT_URL=http://127.0.0.1:{silent.getsockname()[1]}"]))
        async with far.engine():
            await far.submit(_chain(marks, cached=True))
            await far.until(lambda: _made(marks, 2), seconds=30)
        silent.setblocking(False)
        asking, _ = silent.accept()
        asking.close()


async def _made(marks: Path, times: int) -> bool:
    return len(marks.read_text().split()) == times


@pytest.mark.timeout(300)
async def test_whenever_the_engine_dies_nothing_that_was_recorded_is_missing_in_the_bucket(
    far: Here, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    chance, marks, gate = random.Random(3), tmp_path / "marks", tmp_path / "gate"
    run_id, lives = await far.submit(_chain(marks, size=200_000, gate=gate)), 0
    while True:
        async with far.engine():
            with contextlib.suppress(TimeoutError):
                await far.until(lambda: _over(far, run_id), seconds=chance.uniform(0.02, 0.15) * (1 + lives / 20))
                break
        for uri in await far.records.read(lambda c: c.execute(select(artifacts.c.uri)).scalars().all()):
            if uri.endswith("/model"):
                assert f"{uri}/weights".removeprefix(f"s3://{bucket}/") in s3_server.keys(bucket)
        lives += 1
        if lives == 2:
            gate.touch()
    async with far.engine():  # the last one may have died between the records' last word and the object's
        assert (await far.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert Counter(marks.read_text().split()) == {"made": 1}


async def _over(here: Here, run_id: str) -> bool:
    query = select(runs.c.state).where(runs.c.id == run_id)
    return bool(await here.records.read(lambda c: c.execute(query).scalar()) in ("SUCCEEDED", "FAILED"))


async def test_the_server_takes_nothing_from_elsewhere_and_nowhere_else(
    far: Here, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    """Its credentials open what the steps of others have made."""
    (tmp_path / "secret").write_text("not for this step")
    source = (
        "def run(path: str, uri: str, model: Output[Model]):\n"
        "    import json, os\n"
        "    told = {'name': 'model', 'uri': uri or model.uri, 'metadata': {}, 'path': path or model.path}\n"
        "    folder = os.path.dirname(os.path.dirname(model.path))\n"
        "    open(model.path, 'w').write('mine')\n"
        "    with open(folder + '/outcome.json', 'w') as file:\n"
        "        json.dump({'succeeded': True, 'artifacts': {'model': told}}, file)\n"
        "    os._exit(0)\n"
    )
    spec = Spec().python("s", source, {"path": str, "uri": str}, {"model": "Model"})
    async with far.engine():
        for given in (
            {"path": f"{tmp_path}/secret", "uri": ""},
            {"path": "", "uri": f"s3://{bucket}/kept/other/model"},
        ):
            run_id = await far.submit(spec.compiled({"s": task("s", given)}))
            assert (await far.ended(run_id))["status"]["phase"] == "FAILED"
            assert "elsewhere than the step was told to put it" in await _failure(far, run_id, "s")
    assert s3_server.keys(bucket) == []


async def test_a_bucket_that_refuses_fails_the_step_and_says_so(far: Here, tmp_path: Path) -> None:
    stores = Stores(
        replace(far.stores.settings, url="s3://no-such-bucket"), "s3://no-such-bucket", tmp_path / "fetched"
    )
    async with replace(far, stores=stores).engine():
        run_id = await far.submit(_chain(tmp_path / "marks"))
        assert (await far.ended(run_id))["status"]["phase"] == "FAILED"
    assert "s3://no-such-bucket/test-pipeline/" in await _failure(far, run_id, "make")


READ = (
    "def run(data: Input[Dataset]) -> str:\n"
    "    return open(data.path).read() + ' from ' + data.uri + ' named ' + data.path.rsplit('/', 1)[1]\n"
)


def _reading(uri: str) -> dict[str, Any]:
    spec = Spec().python("read", READ, {"data": "Dataset"}, {"Output": str})
    spec.step("show", {"data": "Dataset"}, {}, image="busybox", command=["sh", "-c", 'test "$(cat $0)" = a,b'],
              args=["{{$.inputs.artifacts['data'].path}}"])  # fmt: skip
    spec.executors["exec-import"] = {
        "importer": {"artifactUri": {"constant": uri}, "typeSchema": {"schemaTitle": "system.Dataset"}}
    }
    outputs = {"artifacts": {"artifact": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}}}
    spec.components["import"] = {"executorLabel": "exec-import", "outputDefinitions": outputs}
    data = {"data": Out("import", "artifact")}
    tasks = {"import": task("import"), "read": task("read", {}, data), "show": task("show", {}, data)}
    return spec.compiled(tasks, {}, {"Output": str}, Output=Out("read"))


async def _launcher(here: Here, s3_server: S3Server, **data: str) -> None:
    """What an administrator of KFP writes into a namespace."""
    client = here.cluster.client
    providers = (
        "s3:\n  default:\n"
        f"    endpoint: {s3_server.url.removeprefix('http://')}\n"
        "    disableSSL: true\n    region: us-east-1\n"
        "    credentials:\n      fromEnv: false\n"
        "      secretRef: {secretName: keys, accessKeyKey: id, secretKeyKey: key}\n"
    )
    config = {"data": {"providers": providers, **data}}
    await client.create(CONFIG_MAP, CONFIG_MAP.new("kfp-launcher", "default", **config))
    secret: Object = {"stringData": {"id": "key", "key": "secret"}, "data": {"ca": "/w=="}}  # and what is no text
    await client.create(SECRET, SECRET.new("keys", "default", **secret))


async def test_a_namespace_says_how_its_buckets_are_read(here: Here, s3_server: S3Server, bucket: str) -> None:
    s3_server.put(bucket, "in/data.csv", b"a,b")
    await _launcher(here, s3_server)
    async with here.engine():
        run_id = await here.submit(_reading(f"s3://{bucket}/in/data.csv"))
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert await _outputs(here, run_id) == {"Output": f"a,b from s3://{bucket}/in/data.csv named data.csv"}


async def test_a_namespaces_own_root_takes_what_its_runs_make(
    here: Here, s3_server: S3Server, bucket: str, tmp_path: Path
) -> None:
    await _launcher(here, s3_server, defaultPipelineRoot=f"s3://{bucket}/team")
    async with here.engine():
        run_id = await here.submit(_chain(tmp_path / "marks"))
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert [key.rsplit("/", 1)[1] for key in s3_server.keys(bucket)] == ["config", "weights"]
    assert all(key.startswith("team/test-pipeline/") for key in s3_server.keys(bucket))


async def test_nobody_reads_with_the_platforms_credentials_what_was_not_opened_for_all(
    far: Here, s3_server: S3Server, bucket: str
) -> None:
    """Without credentials of its own the namespace asks Amazon itself, unsigned; here nobody answers to that."""
    s3_server.put(bucket, "private/data.csv", b"a,b")
    there = await far.stores.credentials(far.cluster.client, "default", f"s3://{bucket}/private/data.csv")
    assert there == {}
    opened = replace(far.stores, settings=replace(far.stores.settings, own_credentials_for=(f"s3://{bucket}/private",)))
    there = await opened.credentials(far.cluster.client, "default", f"s3://{bucket}/private/data.csv")
    assert there == s3_server.credentials
    async with replace(far, stores=opened).engine():
        run_id = await far.submit(_reading(f"s3://{bucket}/private/data.csv"))
        assert (await far.ended(run_id))["status"]["phase"] == "SUCCEEDED"


async def test_a_mirror_stands_for_a_public_bucket(here: Here, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "data.csv").write_text("a,b")
    stores = Stores(ArtifactsSettings(mirrors=(f"gs://public-data={tmp_path}/mirror",)), "", tmp_path / "fetched")
    async with replace(here, stores=stores).engine():
        run_id = await here.submit(_reading("gs://public-data/data.csv"))
        assert (await here.ended(run_id))["status"]["phase"] == "SUCCEEDED"
    assert await _outputs(here, run_id) == {"Output": "a,b from gs://public-data/data.csv named data.csv"}


async def test_an_input_that_is_not_there_is_missed_by_who_reads_it_only(
    here: Here, s3_server: S3Server, bucket: str
) -> None:
    await _launcher(here, s3_server)
    async with here.engine():
        run_id = await here.submit(_reading(f"s3://{bucket}/nothing.csv"))
        assert (await here.ended(run_id))["status"]["phase"] == "FAILED"
    assert "the input artifact 'data' has no bytes" in await _failure(here, run_id, "read")


async def test_a_secret_that_is_missing_is_named(here: Here, s3_server: S3Server, bucket: str) -> None:
    await _launcher(here, s3_server)
    await here.cluster.client.delete(SECRET, "keys", "default")
    async with here.engine():
        run_id = await here.submit(_reading(f"s3://{bucket}/data.csv"))
        assert (await here.ended(run_id))["status"]["phase"] == "FAILED"
    assert "the secret 'keys' that the ConfigMap kfp-launcher names is missing" in await _failure(here, run_id, "read")


async def test_a_run_that_is_terminated_while_inputs_are_on_their_way_ends(
    here: Here, s3_server: S3Server, bucket: str
) -> None:
    await _launcher(here, s3_server)
    s3_server.put(bucket, "data.csv", b"a,b")
    async with here.engine():
        run_id = await here.submit(_reading(f"s3://{bucket}/data.csv"))
        await here.terminate(run_id)
        assert (await here.ended(run_id))["status"]["phase"] in ("CANCELED", "SUCCEEDED")
