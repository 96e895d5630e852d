"""The revisioned log under the API: one protocol (`protocol`), in memory and in SQLite.

One writer order, one revision counter for all kinds, as etcd has it. Reads and watches are served from
memory; SQLite is the durable log, and a write is acknowledged only after its commit. Nobody but
`cluster.api` (and `up`, which creates it) touches this room.
"""
