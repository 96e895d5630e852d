"""Quantities: amounts of cpu, memory and the like, as texts with a suffix.

>>> parse("500m"), parse("1Gi"), parse("2k"), parse(3)
(Decimal('0.500'), Decimal('1073741824'), Decimal('2000'), Decimal('3'))
>>> milli("1.5"), whole("1Ki"), text(Decimal("0.25"))
(1500, 1024, '250m')
"""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

from fairway.kernel.objects.errors import BadRequest

_SUFFIXES: dict[str, Decimal] = {
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Decimal(10) ** power for suffix, power in zip(("n", "u", "m", ""), (-9, -6, -3, 0), strict=True)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
}


def parse(quantity: str | int | float) -> Decimal:
    """The exact amount. Raises BadRequest with upstream's sentence."""
    if isinstance(quantity, (int, float)):
        return Decimal(str(quantity))
    for length in (2, 1, 0):
        number, suffix = (quantity[:-length], quantity[-length:]) if length else (quantity, "")
        if suffix in _SUFFIXES:
            try:
                amount = Decimal(number) * _SUFFIXES[suffix]
            except InvalidOperation:
                continue
            if amount.is_finite():
                return amount
    raise BadRequest("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")


def milli(quantity: str | int | float) -> int:
    """Thousandths, rounded up: how cpu is counted."""
    return math.ceil(parse(quantity) * 1000)


def whole(quantity: str | int | float) -> int:
    """Units, rounded up: how memory and devices are counted."""
    return math.ceil(parse(quantity))


def text(amount: Decimal) -> str:
    """A short text of an amount, in thousandths where it is not whole."""
    return str(int(amount)) if amount == int(amount) else f"{math.ceil(amount * 1000)}m"
