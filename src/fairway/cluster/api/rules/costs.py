"""What the rules of a schema may cost at worst, and what is too much: for one expression, and for all of them.

`definitions` counts here, as it compiles each rule, and asks at the end. What rules cost when they run is limited in
`evaluating`, whatever was estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

_PER_EXPRESSION = 10_000_000
_PER_SCHEMA = 100_000_000
_WORTH_NAMING = _PER_SCHEMA // 100
_NAMED = 4
_HINT = (
    "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared"
)


@dataclass(slots=True)
class Tally:
    """The costs of one schema."""

    lenient: bool = False
    """The schema was accepted once, and refuses nothing now."""
    total: int = 0
    _dear: list[tuple[int, str]] = field(default_factory=list)

    def count(self, path: str, cost: int, what: str) -> Iterator[Cause]:
        """Add an expression; it is refused where it is too dear by itself."""
        self.total += cost
        if cost >= _WORTH_NAMING:
            self._dear.append((cost, path))
        if cost > _PER_EXPRESSION and not self.lenient:
            yield _refused(path, f"estimated {what} cost exceeds budget by factor of {_factor(cost, _PER_EXPRESSION)}")

    def problems(self, path: str) -> Iterator[Cause]:
        """What is to be said of the schema as a whole."""
        if self.lenient or self.total <= _PER_SCHEMA:
            return
        for _, place in sorted(self._dear, key=lambda one: -one[0])[:_NAMED]:
            text = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
            yield Cause(place, f"Forbidden: {text}", "FieldValueForbidden")
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield _refused(path, f"{what} exceeds budget by factor of {_factor(self.total, _PER_SCHEMA)}")


def most_elements(schema: Object) -> int | None:
    """By how much a schema multiplies what is below it; None where it does not say."""
    kind = schema.get("type")
    word = "maxItems" if kind == "array" else "maxProperties"
    if kind != "array" and (kind != "object" or schema.get("additionalProperties") is None):
        return 1
    most = schema.get(word)
    return None if most is None else max(0, int(most))


def _refused(path: str, text: str) -> Cause:
    return Cause(path, f"Forbidden: {text} ({_HINT})", "FieldValueForbidden")


def _factor(cost: int, limit: int) -> str:
    """
    >>> _factor(12_500_000, 10**7), _factor(31 * 10**6, 10**7), _factor(10**12, 10**7)
    ('1.250000x', '3.1x', 'more than 100x')
    """
    factor = cost / limit
    if factor > 100:
        return "more than 100x"
    return f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
