"""Local model caches: models that are kept on nodes before a service asks for them, as KServe has it.

`matching` says which cache a service's model is in, `render` makes the downloads and the claims, `status` says how far
they are, and `controller` brings the cluster there. A service whose model is cached mounts it instead of fetching it.
"""
