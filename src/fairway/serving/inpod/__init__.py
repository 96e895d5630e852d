"""The model server, as it runs in a pod: `python3 -m fairway.serving.inpod --model_name M --model_dir D`.

A request comes over HTTP (`wire` for the sockets, `http1`, then `routes`: which path is what) or gRPC (`rpc`). The
`repository` has the models by name, each `served` through a lane of its own (`lanes`): threads, so that health is
answered at any time, and a bounded queue, whose requests `batching` lays together. What a request says is read by its
protocol's dialogue (`v1`, `v2`, `rpc`; see `work`), with `tensors` and `events`; who answers is a `Model` or a
`Program` (`model`), found by `places` and loaded by `formats` or `programs`. `metrics` are kept on the `board`.

`program` starts it by its `flags`: one process (`server`), or several (`workers` looks after each `worker`).

It needs the standard library, orjson and numpy, and what the model's format needs; uvloop and grpcio where installed.
"""
