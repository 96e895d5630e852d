"""Names of fields as CEL can write them: what an identifier may not hold is spelled out between underscores.

>>> escaped("spec"), escaped("app.kubernetes.io/name"), escaped("namespace"), escaped("a b")
('spec', 'app__dot__kubernetes__dot__io__slash__name', '__namespace__', None)
"""

from __future__ import annotations

import re

from fairway.cluster.api.cel.tokens import RESERVED

_PARTS = re.compile(r"__|[-./]")
_SPELLED = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_FIT = re.compile(r"[a-zA-Z_./-][a-zA-Z0-9_./-]*", re.ASCII)
_WORDS = RESERVED | {"true", "false", "null", "in"}


def escaped(name: str) -> str | None:
    """None where no spelling exists: CEL cannot reach such a field."""
    if not _FIT.fullmatch(name):
        return None
    if name in _WORDS:
        return f"__{name}__"
    return _PARTS.sub(lambda match: _SPELLED[match[0]], name)
