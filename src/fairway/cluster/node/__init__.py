"""The node agent: pods bound to this node become processes, and what becomes of them is written back.

    watch -> agent -> one worker for each pod -> PodRuntime (fake, process)
                          |                          |
                     status patches            shepherds: small daemons that outlive the server,
                                               parents of the containers, writers of logs and exit records

`build.build` is the entry. The agent is a client of the API like any other; it imports neither the API nor the store.
"""
