"""Artifacts in buckets through the API: listed and read as if they were here, and refused where they are not for us."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairway.artifacts.settings import ArtifactsSettings
from fairway.cluster.api.server import ApiServer
from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import CONFIG_MAP, SECRET, Object
from fairway.pipelines.removing import Removing
from fairway.pipelines.settings import PipelinesSettings
from fairway.pipelines.stores import Stores
from tests.pipelines.world import World, client, records_url, world_at  # noqa: F401 - fixtures
from tests.s3_server import S3Server


@pytest.fixture
async def world(
    cluster: tuple[ApiServer, Client],
    client: Client,  # noqa: F811
    s3_server: S3Server,
    bucket: str,
    tmp_path: Path,
    records_url: str,  # noqa: F811
) -> AsyncIterator[World]:
    keys = tmp_path / "keys"
    keys.write_text("\n".join(f"{name}={value}" for name, value in s3_server.credentials.items()))
    settings = ArtifactsSettings(url=f"s3://{bucket}/kept", credentials_file=str(keys))
    stores = Stores(settings, settings.url)
    async with world_at(records_url, client, tmp_path / "artifacts", PipelinesSettings(), stores) as here:
        yield here


async def test_files_and_bytes_of_an_artifact_in_a_bucket(world: World, s3_server: S3Server, bucket: str) -> None:
    run = await world.run()
    s3_server.put(bucket, "kept/model/weights", b"0123456789")
    s3_server.put(bucket, "kept/model/deep/config", b"{}")
    id_ = await world.make(run, "model", uri=f"s3://{bucket}/kept/model")
    files = await world.call("GET", f"artifacts/{id_}:files")
    assert files == {"files": [{"path": "deep/config", "size": 2}, {"path": "weights", "size": 10}], "total_size": 2}
    url = f"{world.url}/apis/v2beta1/artifacts/{id_}:content?path=weights"
    headers = {"Authorization": "Bearer the-owners-token", "Range": "bytes=2-4"}
    async with world.session.get(url, headers=headers) as answer:
        assert (answer.status, await answer.read()) == (206, b"234")
    status, refused = await world.ask("GET", f"artifacts/{id_}:content?path=nothing")
    assert (status, f"there is no file at s3://{bucket}/kept/model/nothing" in refused["message"]) == (404, True)


async def test_an_artifact_is_read_with_what_its_own_namespace_has(
    world: World, s3_server: S3Server, bucket: str
) -> None:
    """Of a namespace that is gone nobody's: least of all what "default" may read."""
    s3_server.put(bucket, "private/x", b"secret")
    reference = "secretRef: {secretName: keys, accessKeyKey: id, secretKeyKey: key}"
    said = f'minio: {{default: {{endpoint: "{s3_server.url}", region: us-east-1, credentials: {{{reference}}}}}}}'
    here = world.context.client
    await here.create(CONFIG_MAP, CONFIG_MAP.new("kfp-launcher", "default", data={"providers": said}))
    secret: Object = {"stringData": {"id": "key", "key": "secret"}}
    await here.create(SECRET, SECRET.new("keys", "default", **secret))
    for namespace, told in (("default", 200), ("gone", 503)):
        id_ = await world.make(await world.run(), "model", uri=f"minio://{bucket}/private/x", namespace=namespace)
        url = f"{world.url}/apis/v2beta1/artifacts/{id_}:content"
        async with world.session.get(url, headers={"Authorization": "Bearer the-owners-token"}) as answer:
            assert answer.status == told, await answer.text()


async def test_what_a_deleted_run_made_goes_from_the_bucket(world: World, s3_server: S3Server, bucket: str) -> None:
    first, second = await world.run(), await world.run()
    for run in (first, second):
        s3_server.put(bucket, f"kept/upstream/{run}/train/a-task/model", b"weights")
        await world.make(run, "model", uri=f"s3://{bucket}/kept/upstream/{run}/train/a-task/model")
        await world.end(run)
    await world.call("DELETE", f"runs/{first}", artifacts="true")
    await Removing(world.context).look()
    assert s3_server.keys(bucket) == [f"kept/upstream/{second}/train/a-task/model"]
