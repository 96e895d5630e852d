"""The judge of serving: KServe's own end-to-end tests, unmodified, against `fairway up`. README.md tells of it.

`places` finds upstream's checkout and the interpreter that has its package, `models` makes the models that the tests
name, `doorway` adds the token that they do not send, `tests` says which are run and which need what no machine of
ours has, `judging` runs them, and `report` writes the table.
"""
