"""The router of a graph, as it runs in a pod: `python3 -m fairway.serving.graphs.router --graph-json G`.

`program` listens; `plan` is the graph; `walking` goes through it for one request, asking `steps`; `paths` are its
conditions, `chaining` and `merging` what happens to bodies between steps. It needs what the model server's `relay`
needs, and nothing of the house.
"""
