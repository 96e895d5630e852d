"""The model server, as it runs in a pod: `python3 -m fairway.serving.inpod --model_name M --model_dir D`.

A request goes through `wire` (sockets, with `http1`), `routes` (which path is what), `v1` or `v2` (the protocols, with
`tensors`), a `Model` or `Program` (`model`; loaded by `formats` or `programs`), and back. `workers` keeps predictions
away from the event loop, so that health is answered at any time. `program` starts it all, and drains it on SIGTERM.

It needs the standard library, orjson and numpy, and what the model's format needs; uvloop where installed.
"""
