"""What a namespace says of its object stores: read with care, since whoever may write there wrote it."""

import base64
from pathlib import Path

import pytest

from fairway.artifacts.addresses import NotHere
from fairway.artifacts.failures import CannotFetch
from fairway.artifacts.settings import ArtifactsSettings
from fairway.cluster.api.server import ApiServer
from fairway.kernel.client.client import Client
from fairway.kernel.objects.kinds import CONFIG_MAP, NAMESPACE, SECRET
from fairway.pipelines.stores import Stores

REFERENCE = "secretRef: {secretName: keys, accessKeyKey: id, secretKeyKey: key}"
DEEP = "[" * 5000


def providers(scheme: str, default: str) -> str:
    return f"{scheme}: {{default: {default}}}"


async def test_nothing_that_it_says_is_more_than_a_sentence(cluster: tuple[ApiServer, Client]) -> None:
    _, client = cluster
    await client.create(NAMESPACE, NAMESPACE.new("other"))
    binary = {"id": base64.b64encode(b"\xff").decode(), "key": "a2V5", "path": "L2Rldi96ZXJv"}  # /dev/zero
    for namespace in ("default", "other"):
        await client.create(SECRET, SECRET.new("keys", namespace, data=binary))
    config = CONFIG_MAP.new("kfp-launcher", "default", data={})
    await client.create(CONFIG_MAP, config)
    stores = Stores()
    climbing = REFERENCE.replace("keys", "../../other/secrets/keys")
    a_path = "secretRef: {secretName: keys, tokenKey: path}"
    for scheme, said, sentence in (
        ("s3", DEEP, "is not YAML"),
        ("s3", "s3: !!bool perhaps", "not what its tag says"),
        ("s3", "s3: 2020-99-99", "is not YAML"),
        ("s3", "s3: text", "and no provider"),
        ("s3", "s3: {default: {}, Overrides: [text]}", "no list of providers"),
        ("s3", providers("s3", f"{{credentials: {{{climbing}}}}}"), "missing"),
        ("gs", providers("gs", f"{{credentials: {{{a_path}}}}}"), "must hold the service account's key itself"),
    ):
        await client.patch(CONFIG_MAP, "kfp-launcher", "default", {"data": {"providers": said}})
        with pytest.raises(CannotFetch, match=sentence):
            await stores.credentials(client, "default", f"{scheme}://bucket/x")
    said = providers("s3", f'{{endpoint: "http://169.254.169.254", credentials: {{{REFERENCE}}}}}')
    await client.patch(CONFIG_MAP, "kfp-launcher", "default", {"data": {"providers": said}})
    assert (await stores.credentials(client, "default", "s3://bucket/x"))["AWS_SECRET_ACCESS_KEY"] == "key"
    with pytest.raises(OSError, match="this machine's cloud"):
        await stores.open(client, "default", "s3://latest/meta-data/iam")


async def test_a_mirror_is_not_climbed_out_of(cluster: tuple[ApiServer, Client], tmp_path: Path) -> None:
    _, client = cluster
    (tmp_path / "mirror" / "iris").mkdir(parents=True)
    (tmp_path / "mirror" / "iris" / "50%20").write_text("weights")
    (tmp_path / "secret").write_text("secret")
    stores = Stores(ArtifactsSettings(mirrors=(f"gs://models={tmp_path}/mirror",)))
    store, address = await stores.open(client, "default", "gs://models/iris/50%20")
    assert await store.get(address) == b"weights"
    store, address = await stores.open(client, "default", "gs://models/no/such/folder/x")
    assert await store.find(address) is None
    assert not (tmp_path / "mirror" / "no").exists()
    for up in ("..", "%2e%2e"):
        with pytest.raises((OSError, NotHere)):
            store, address = await stores.open(client, "default", f"gs://models/{up}/secret")
            await store.get(address)
