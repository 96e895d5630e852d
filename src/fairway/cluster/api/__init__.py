"""The Kubernetes API: one pipeline, driven by tables, over the store; two faces, HTTP and in-process.

A request is parsed (`paths`), its sender known (`identity`) and allowed (`authorizing`), its resource found
(`registry`); then `reading`, `writing`, `removal`, `watching` or a subresource (`subresources`, `pods`) answers it, or
a connection is taken over (`connections`: `talking`, `forwarding`, `proxying`). What is written gets its shape
(`shaping`, `objectmeta`, `strategies`) and passes `admission` on its way to the store; `auditing` writes down who did
it. `pipeline` strings these together; `http` and `inprocess` are its faces, and `server.ApiServer` is what the outside
makes. What a kind is lies in tables: `resources`, `defaults`, `checks`, `printing`, `data/`; custom resources come from
their definitions (`custom`), whose rules are in `cel`. `documents` is what the server says of itself.
"""
