"""Deciding: from a pipeline, its records and what was seen of pods to what is next. Pure.

`Graph` is a run in memory: told of changes one at a time, it gives `Decisions`, at a cost that depends on the
change and not on the size of the run. `pods` writes manifests, `folders` what a step finds in its task folder.
Everything a decision rests on is in the records, so that a Graph can be thrown away and built again.
"""
