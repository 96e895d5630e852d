"""What stands in a pod before a container that is not our server: `python3 -m fairway.serving.inpod.sidecar`.

Requests come in through `relay`, pass the `gate` (how many at once, how many may wait), and are carried on by
`carrying` as they come, or laid together by `batching`. `journal` keeps copies of both directions and gives them to a
`sinks`, as CloudEvents or as files of `records`. `program` starts it all and drains it. The flags are those of KServe's
agent, and some of our own.

It carries HTTP/1.1. gRPC goes to the container itself; a connection is never turned into a WebSocket.
"""
