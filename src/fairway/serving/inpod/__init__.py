"""The model server, as it runs in a pod: `python3 -m fairway.serving.inpod --model_name M --model_dir D`.

A request goes through `wire` (sockets, with `http1`), `routes` (which path is what), `v1` or `v2` (the protocols, with
`tensors`), `models` (the loaded model), and back. `workers` keeps predictions away from the event loop, so
that health is answered at any time. `program` starts it all, and drains it on SIGTERM.

It needs the standard library, orjson, numpy, joblib and scikit-learn; uvloop and pandas where installed.
"""
