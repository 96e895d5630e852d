"""Any Kubernetes: the verbs, watches that resume, kubeconfig, wait.

`Client` has the verbs. A `Transport` carries them: `http.HTTPTransport` to any API server, or the
in-process transport that `cluster.api` offers, which skips the wire and nothing else.
"""
