"""The one way in which the SDK fails: a sentence that says what to do."""

from __future__ import annotations

import json
import traceback

NO_KFP = "the pipelines SDK is not installed; run `pip install 'fairway[pipelines]'`"


class Failure(Exception):
    """Something that the caller can put right. The text says how."""


class NoAnswer(Failure):
    """The server cannot be reached."""


class NotThere(Failure):
    """What was asked for does not exist (any more)."""


def told(body: str | bytes | None, otherwise: str) -> str:
    """The server's own sentence."""
    try:
        return str(json.loads(body or b"")["message"])
    except (ValueError, KeyError, TypeError):
        return otherwise


def said(wrong: BaseException) -> str:
    """What somebody else's exception says, in one line."""
    return " ".join(traceback.format_exception_only(wrong)[-1].split())
