"""What can go wrong between an address and its bytes. Each text is a sentence for the person who wrote the address."""

from __future__ import annotations


class CannotFetch(Exception):
    """The bytes are not there, not for us, or at an address that nobody here can read. Trying again is of no use."""


class NothingThere(CannotFetch):
    """There are no bytes at the address."""


class Unreachable(CannotFetch):
    """Whoever keeps the bytes does not answer, or not well: it may later."""


class Changed(CannotFetch):
    """The bytes became others while they were read."""
