"""pods/portforward: connections to a pod's ports, carried inside one connection to the API.

kubectl speaks SPDY/3.1 (`spdy`), inside a WebSocket or on the bare connection; `tunnel` pairs its streams and carries
their bytes. The Python clients speak WebSocket channels (`channels`). `connecting` opens the way to the pod.
"""
