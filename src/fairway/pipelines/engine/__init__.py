"""The engine's parts: what lies between a Run object, the records and the pods of one run.

`controller` is told that something changed, and calls them in turn: `opening` builds a run in memory from its
records, `attempts` sees pods end and begins new ones, `following` does what the graph decides, `telling` shows it on
the Run object. Deciding itself is in `render`, which knows no disk, network or clock.
"""
