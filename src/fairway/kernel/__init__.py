"""Ground floor: what every feature stands on, kept small.

`objects` is the wire form of Kubernetes, pure. `client` speaks to any Kubernetes by two transports.
`control` turns watches into reconciles. `feature` is the record by which a room offers itself to the
rest of the house. `whereabouts` finds the platform that runs here.
"""
