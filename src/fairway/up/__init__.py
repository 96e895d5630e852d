"""One machine: what `fairway up` builds and runs.

`settings` is how it may be run, light to import. `machine` builds the embedded cluster, or connects to another
one, and holds all loops under one task group. `front` is what stands in front of the seam in both cases.
"""
