"""pods/exec and pods/attach: a client talks with a command in a container, or with the container itself.

    asking (what the query means, who opens the talk) -> sockets (WebSocket channels) | streams (SPDY) -> ending

The newer clients speak WebSocket, kubectl before 1.31 SPDY. Both carry the same: input, output, standard error, sizes
of a terminal, and the end as a Status.
"""
