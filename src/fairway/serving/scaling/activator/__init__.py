"""The activator: takes the requests of services that have no pod, wakes them, holds the requests, and forwards.

Flow: a `door` is a port of ours that stands for one port of one Service, told to gateways as an endpoint of it;
`http1` and `http2` are what comes through a door; in its `hall` a request waits for a pod with room; a `meter` counts
who is inside, for the autoscaler; `activator` keeps them all. It decides nothing about numbers of pods.
"""
