"""Texts as both databases keep them: PostgreSQL takes no NUL, and no more than a column has room for.

For what comes from steps and from elsewhere, whose writers nobody can ask again. What a person gives is checked where
it is given.
"""

from __future__ import annotations


def kept(text: str, most: int | None = None) -> str:
    """The text, with a mark in place of each NUL, and its beginning where a column has room for `most` characters.

    >>> kept("a" + chr(0) + "b"), kept("abc", 2)
    ('a\ufffdb', 'ab')
    """
    return text.replace("\0", "\ufffd")[:most]
