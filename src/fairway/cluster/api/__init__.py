"""The Kubernetes API: one pipeline, driven by tables, over the store; two faces, HTTP and in-process.

A request is parsed (`paths`), its sender known (`tokens`) and allowed (`authorizing`), its resource found
(`registry`); then `reading`, `writing`, `removal`, `watching` or a subresource answers it. What is written gets its
shape (`shaping`, `objectmeta`, `strategies`) and passes `admission` on its way to the store. `pipeline` strings these
together; `http` and `inprocess` are its faces, and `server.ApiServer` is what the outside makes. What a kind is lies
in tables: `resources`, `builtin_defaults`, `builtin_checks`, `data/`; custom resources come from their definitions
(`crds`).
"""
