"""The embedded Kubernetes; a real one replaces it whole.

store (revisioned log) <- api (the HTTP face) <- workloads, node, network (clients like any other). quotas is arithmetic
that api and workloads share.
"""
