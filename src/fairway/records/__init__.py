"""Facts too many for objects: runs, tasks, lineage, metrics. SQL tables, on SQLite or PostgreSQL.

`Database` runs functions on a connection: `read` many at once, `write` one after the other, many to a commit.
Rooms declare their tables themselves (`tables.py`, over `tables.new_metadata`) and keep their queries; the
migrations of all rooms are one linear history here, so that a database is at one revision and no other.
"""
