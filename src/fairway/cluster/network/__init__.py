"""Traffic: Envoy as the one public port and as the load balancer behind every Service address.

`gateway` follows HTTPRoutes, Services and EndpointSlices; `render` turns them into Envoy's resources (pure,
with `routes` for what an HTTPRoute means); `files` puts them where Envoy watches; `envoy` keeps the process.
Which pods are endpoints is decided by the workloads; pod addresses are the node's part.
"""
