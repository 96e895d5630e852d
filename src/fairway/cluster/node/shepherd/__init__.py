"""The shepherd: a small daemon that is the parent of containers and outlives the server.

    __main__ (become a daemon, import the warm set) -> daemon (one loop: socket, pipes, children) -> child (fork)

One shepherd for each pair of environment and warm set. It writes down what it starts before the child may go on,
pumps output into log files, and writes an exit record; a server that was killed reads these again. Standard
library only: it is started often, and what it holds in memory is inherited by every container it forks.
"""
