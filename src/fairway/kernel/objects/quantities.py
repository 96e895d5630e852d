"""Quantities: amounts of cpu, memory and the like, as texts with a suffix.

>>> parse("500m"), parse("1Gi"), parse("2k"), parse(3)
(Decimal('0.500'), Decimal('1073741824'), Decimal('2000'), Decimal('3'))
>>> milli("1.5"), whole("1Ki"), text(Decimal("0.25"))
(1500, 1024, '250m')
>>> canonical(Decimal(2000)), canonical(Decimal("1.5")), canonical(Decimal(3 << 29), binary=True)
('2k', '1500m', '1536Mi')
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


def canonical(amount: Decimal, *, binary: bool = False) -> str:
    """The text that upstream writes: the largest suffix with which it stays whole.

    `binary` is for what is counted in bytes; an amount that is no multiple of 1024 has a decimal suffix there too.
    """
    if binary and amount and amount == int(amount) and int(amount) % 1024 == 0:
        return _scaled(int(amount), 1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
    small = 0
    while amount != int(amount) and small < 3:
        amount, small = amount * 1000, small + 1
    suffixes = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
    return _scaled(math.ceil(amount), 1000, suffixes[3 - small :])


def _scaled(amount: int, step: int, suffixes: tuple[str, ...]) -> str:
    power = 0
    while amount and amount % step == 0 and power + 1 < len(suffixes):
        amount, power = amount // step, power + 1
    return f"{amount}{suffixes[power] if amount else ''}"
