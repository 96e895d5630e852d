"""What a namespace says of its buckets: what cannot be meant is said with its place, and breaks nothing else."""

from __future__ import annotations

import pytest

from fairway.pipelines import providers

DEFAULT = "default: {credentials: {fromEnv: true}}"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("s3: here", "s3 in the ConfigMap kfp-launcher is 'here', and no provider"),
        (f"s3: {{{DEFAULT}, Overrides: [x]}}", "s3.Overrides in the ConfigMap kfp-launcher is no list of providers"),
        (f"s3: {{{DEFAULT}, Overrides: {{a: b}}}}", "s3.Overrides in the ConfigMap kfp-launcher is no list"),
        ("s3: {default: [1]}", "s3.default in the ConfigMap kfp-launcher lacks default"),
        ("s3: {default: 2001-99-99}", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("[s3]", "is no mapping of schemes"),
    ],
)
def test_what_is_no_provider_is_told(said: str, message: str) -> None:
    with pytest.raises(providers.BadProvider) as wrong:
        providers.find({"providers": said}, "s3://bucket/key")
    assert message in str(wrong.value)


def test_an_override_counts_for_its_bucket_and_prefix() -> None:
    said = f"s3: {{{DEFAULT}, Overrides: [{{bucketName: b, keyPrefix: a/, endpoint: other}}]}}"
    found = [providers.find({"providers": said}, uri) for uri in ("s3://b/a/x", "s3://b/x", "s3://c/a/x", "gs://b/a/x")]
    assert [dict(each.values) if each else None for each in found] == [
        {"AWS_ENDPOINT_URL": "https://other"},
        {},
        {},
        None,
    ]
