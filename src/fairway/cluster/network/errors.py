"""The one error by which the network refuses to start."""


class NetworkError(Exception):
    """The network cannot start; the text says what to do."""
