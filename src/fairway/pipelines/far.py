"""Which addresses are not of this machine: whose bytes the engine brings to a step, and which nobody brings.

Pure and standard library only: the engine, `render` and `inpod` agree by this.
"""

from __future__ import annotations

BUCKETS = ("s3://", "gs://", "minio://", "az://", "abfs://", "abfss://")
"""Object stores: artifacts are read there, and may be kept there."""

ELSEWHERE = ("https://", "http://", "hf://")
"""Read too, as far as that goes: upstream hands these addresses to a step as they are, and the step may know them."""

REFUSED = ("oci://", "hdfs://", "webhdfs://")


def is_far(uri: str) -> bool:
    """Whether the bytes are to be brought here before a step can read them.

    >>> is_far("s3://bucket/x"), is_far("file:///x"), is_far("custom://x")
    (True, False, False)
    """
    return uri.startswith(BUCKETS) or uri.startswith(ELSEWHERE)
