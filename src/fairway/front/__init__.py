"""The front door, the same on one machine and on a cluster: login, dashboard, and each feature's own routes.

A request passes `guard` (right host, right origin, somebody we know, somebody who may), then reaches a feature's
route, the Kubernetes proxy, the gateway proxy or the dashboard's files. Who somebody is, the API server says
(TokenReview); a browser trades a token for a signed cookie once (`sessions`, `login`).

It knows no feature: what it mounts it is given.
"""
