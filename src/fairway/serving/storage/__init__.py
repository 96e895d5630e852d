"""Where models are, and how they come to the pod that serves them.

`uris` tells places apart; `containers` and `credentials` make the init container of what has to be fetched. That
container runs this package as a program, over `fairway.artifacts.fetching`. What lies on this machine, or in a
volume, is not fetched: `pods` mounts it or points the server at it.
"""
