"""Regular expressions that users write, in RE2's dialect, which is Go's, and in linear time. Pure.

Python's own engine takes exponential time on some of them, so that one schema or one value could hold the server. Where
the package has no wheel, Python's takes its place, for schemas only: rules in CEL are then refused where they use one.

>>> compiled("^a+$").search("aa") is not None
True
>>> compiled("(")
Traceback (most recent call last):
ValueError: error parsing regexp: missing ): (
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

try:
    import re2
except ImportError:  # no wheel for this platform
    re2 = None

LINEAR = re2 is not None
"""Whether no pattern can take long."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The expression, with `search`, `fullmatch` and `finditer`. Raises ValueError with what is wrong with it."""
    if re2 is None:
        return _in_python(pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        reason = problem.args[0] if problem.args else ""
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"error parsing regexp: {text}") from None


def _in_python(pattern: str) -> re.Pattern[str]:
    try:
        # Go's classes of letters and digits are ASCII, and its \z is Python's \Z.
        return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
    except re.error as problem:
        raise ValueError(f"error parsing regexp: {problem}") from None
