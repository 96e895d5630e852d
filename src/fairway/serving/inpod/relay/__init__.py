"""HTTP/1.1 carried on as it comes: what the sidecar and the router of graphs stand on.

`inbound` takes requests from clients and gives each to the application while its body still arrives; `outbound` has
the connections to where requests go on to, and `asking` is for whoever wants a whole answer. `framing` tells where
messages end. Nothing here waits for a whole body unless its user does.
"""
