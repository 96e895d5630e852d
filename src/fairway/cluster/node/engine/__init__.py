"""Containers of any image, through a container engine that is installed: podman, docker or nerdctl.

    finding (which engine works here, and how) -> containers -> engine images, options -> `create`
                                                      |
                       a shepherd -> attendant -> `start --attach`, the end, `rm`

The engine is a program that is called, and nothing of it is linked or spoken to otherwise. Each container has an
attendant, a small process of a shepherd's: like any container of a process it outlives the server, its output is the
log, and its end is the end that is told.
"""
