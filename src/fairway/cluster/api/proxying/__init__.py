"""pods/proxy, services/proxy and nodes/proxy: requests of any method, passed on to what the path names.

    path -> targets (which address, and what of the path goes on) -> passing (a request and its answer)
                                                                  -> upgrading (a connection: WebSockets)

Links in pages are left as they are; where a redirection leads is brought under the path of the proxy. A node answers
from here, with the little that there is of a kubelet.
"""
