"""Aggregated APIs: group versions that another server answers, behind a Service that an APIService names.

    APIService -> shelf (which group versions are elsewhere) -> aggregator (a request goes on, in the sender's name)
    sources (what such a server says of itself: resources, schemas) -> documents/discovery

Those that this server answers itself have APIServices too (`beginnings`, with upstream's `priorities`), which say so
and decide nothing. Whether a server can be reached is found out by a controller (`cluster.workloads.api_services`),
which asks through `aggregator`; the front proxy's certificate is in `identity.front_proxy`.
"""
