"""Quantities: amounts of cpu, memory and the like, as texts with a suffix.

They are read and written as upstream's `resource.Quantity` does it: any text that means an amount is understood, and a
server answers with one form of it (`settled`), so that equal amounts are mostly equal texts.

>>> parse("500m"), parse("1Gi"), parse("2k"), parse(3)
(Decimal('0.500'), Decimal('1073741824'), Decimal('2000'), Decimal('3'))
>>> milli("1.5"), whole("1Ki")
(1500, 1024)
>>> settled("1024Mi"), settled("0.5"), settled(1), settled("1.5Gi"), settled("1e3"), settled("1000m")
('1Gi', '500m', '1', '1536Mi', '1e3', '1')
>>> canonical(Decimal(2000)), canonical(Decimal("1.5")), canonical(Decimal(3 << 29), binary=True)
('2k', '1500m', '1536Mi')
"""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from fairway.kernel.objects.errors import BadRequest

EXACT = Context(prec=2000)
"""For sums that are kept: with digits for the largest and the smallest amount that can be written, a sum is what it was
again once a huge part of it has gone."""

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIX_OF = {power: suffix for suffix, power in _DECIMAL.items()}
_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile(r"[eE][-+]?[0-9]{1,3}")  # more digits would be numbers that take all memory to write out
_WRONG_FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_WRONG_NUMBER = "unable to parse numeric part of quantity"
_WRONG_SUFFIX = "unable to parse quantity's suffix"
_LONGEST = 256
_MOST_BINARY = 2**63 - 1
_NANO = 10**9
_REMEMBERED = 4096  # most objects say the same few amounts


class _Parts(NamedTuple):
    """sign, digits * 2**twos * 10**tens. `before` and `after` the point are the digits as they were written."""

    negative: bool
    before: str
    after: str
    suffix: str
    twos: int
    tens: int

    @property
    def number(self) -> int:
        return int(self.before + self.after)


def parse(quantity: str | int | float) -> Decimal:
    """The exact amount. Raises BadRequest with upstream's sentence."""
    return _parsed(quantity) if isinstance(quantity, str) else Decimal(str(quantity))


def milli(quantity: str | int | float) -> int:
    """Thousandths, rounded up: how cpu is counted."""
    return math.ceil(parse(quantity) * 1000)


def whole(quantity: str | int | float) -> int:
    """Units, rounded up: how memory and devices are counted."""
    return math.ceil(parse(quantity))


def settled(quantity: object) -> str:
    """The text that a server answers with for what a client wrote, the very same where it need not differ.

    Raises BadRequest with upstream's sentence.
    """
    if isinstance(quantity, str):
        text = _settled(quantity)
        return quantity if text == quantity else text
    if quantity is None:
        return "0"  # null is what Go's clients write for nothing
    if isinstance(quantity, bool) or not isinstance(quantity, (int, float)):
        raise BadRequest(_WRONG_FORM)
    return _settled(str(quantity))


def canonical(amount: Decimal, *, binary: bool = False) -> str:
    """The text that upstream writes: the largest suffix with which it stays whole.

    `binary` is for what is counted in bytes; an amount that is no multiple of 1024 has a decimal suffix there too.
    """
    if binary and amount and amount == int(amount) and int(amount) % 1024 == 0:
        return _in_binary(int(amount))
    nanos = math.ceil(amount * _NANO)
    return ("-" if nanos < 0 else "") + _in_decimal(abs(nanos), -9, "") if nanos else "0"


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str) -> Decimal:
    parts = _taken_apart(text)
    number = f"{'-' if parts.negative else ''}{parts.before}{'.' if parts.after else ''}{parts.after}"
    return Decimal(number) * (Decimal(10) ** parts.tens if parts.tens else 1 << parts.twos)


@lru_cache(maxsize=_REMEMBERED)
def _settled(text: str) -> str:
    text = text.strip()
    parts = _taken_apart(text)
    if _stays(parts):
        return text
    sign, number, places = "-" if parts.negative else "", parts.number, len(parts.after)
    if not number:
        return "0"
    if not parts.twos:
        exponent = parts.suffix[:1] in ("e", "E") and len(parts.suffix) > 1
        return sign + _in_decimal(number, parts.tens - places, "e" if exponent else "")
    nanos = min(-(-((number << parts.twos) * _NANO) // 10**places), _MOST_BINARY * _NANO)
    if nanos < 1024 * _NANO or nanos % (1024 * _NANO):
        # Upstream writes an amount of bytes without a suffix, and knows no more about it when it reads that.
        return sign + _in_decimal(nanos, -9, "")
    return sign + _in_binary(nanos // _NANO)


def _taken_apart(text: str) -> _Parts:
    """As upstream's parser does it, which takes a missing number for zero."""
    form = _FORM.fullmatch(text)
    if form is None or not text:
        raise BadRequest(_WRONG_FORM)
    if len(text) > _LONGEST:
        raise BadRequest(_WRONG_NUMBER)
    sign, before, after, suffix = form.groups(default="")
    tens, twos = _DECIMAL.get(suffix), _BINARY.get(suffix, 0)
    if tens is None and not twos:
        if not _EXPONENT.fullmatch(suffix):
            raise BadRequest(_WRONG_SUFFIX)
        tens = int(suffix[1:])
    return _Parts(sign == "-", before.lstrip("0") or "0", after, suffix, twos, tens or 0)


def _stays(parts: _Parts) -> bool:
    """Whether upstream takes the text to be in its form already, which it sees quickly and not quite exactly."""
    if parts.twos:
        short = len(parts.before) + parts.twos * 3 // 10 < 15
        return short and not parts.after and int(parts.before) % 8 != 0
    digits, tens = parts.before + parts.after, parts.tens - len(parts.after)
    short = len(digits) <= 18 and tens >= -9
    return short and tens % 3 == 0 and digits[0] != "0" and not digits.endswith("000")


def _in_decimal(number: int, tens: int, exponent: str) -> str:
    """number * 10**tens with the largest suffix, or exponent, with which it stays whole; rounded up to nanos."""
    if tens < -9:
        number, tens = -(-number // 10 ** (-9 - tens)), -9
    while number % 10 == 0:
        number, tens = number // 10, tens + 1
    number, tens = number * 10 ** (tens % 3), tens - tens % 3
    if exponent:
        return f"{number}{exponent}{tens}" if tens else str(number)
    largest = min(tens, 18)
    return f"{number * 10 ** (tens - largest)}{_SUFFIX_OF[largest]}"


def _in_binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(_BINARY):
        number, power = number // 1024, power + 1
    return f"{number}{('', *_BINARY)[power]}"
