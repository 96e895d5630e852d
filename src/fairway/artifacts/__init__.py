"""Bytes by address: what steps make and read, models, logs.

An address is the root's URL and a key under it, written as it is, without percent-encoding:
file:///data/artifacts/iris/4f2a/train/model. `open_store` gives the `Artifacts` of a root. On one machine an artifact
is a file, and whoever can read files reads it in place (`local_path`), with no copy.

`fetching` brings what is elsewhere (buckets, the web, the hub) to this machine, through a cache by content.
"""
