"""Quantities: what upstream's parser understands, and the one form in which it writes each of them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairway.kernel.objects import errors, quantities

FORMS = {
    "1Ki": "1Ki", "1024Mi": "1Gi", "307200Ki": "300Mi", "1025024Mi": "1001Gi", "1024Gi": "1Ti", "1000Mi": "1000Mi",
    "1.5Gi": "1536Mi", "0.5Mi": "512Ki", "0.05Gi": "53687091200m", "100.035Ki": "102435840m", "4Pi": "4Pi",
    "5000m": "5", "0.5": "500m", "0.001T": "1G", "1000M": "1G", "1000000000": "1G", "1000u": "1m", "1.08": "1080m",
    "1080000000n": "1080m", "1234567M": "1234567M", "1025": "1025", "128974848": "128974848", "1000": "1k",
    ".001e12": "1e9", "0.001e0": "1e-3", "1000e-12": "1e-9", "1e3": "1e3", "12E6": "12E6", "1e4": "10e3", "3E": "3E",
    "5562.5Ki": "5696k", "0": "0", "00": "0", "0Gi": "0", "-0": "0", "0e3": "0", "m": "0",
    ".001Ki": "1024m", ".000001Ki": "1024u", ".000000001Ki": "1024n", ".000000000001Ki": "2n", "3.001n": "4n",
    "0.0000000001": "1n", "0.00000012345": "124n", "1.1E-9": "2e-9", "9Ei": "9223372036854775807",
    "9223372036854775807Ki": "9223372036854775807", "12E": "12E", "-1024Mi": "-1Gi", "-0.5": "-500m", " 1 ": "1",
    # What looks settled at a glance stays as it was written, zeros and all.
    "1.500": "1.500", "0100m": "0100m", "+1": "+1", "1.": "1.",
}  # fmt: skip
MALFORMED = {
    "": "quantities must match", "much": "quantities must match", "1.1.M": "quantities must match",
    "1 Gi": "quantities must match", "1_000": "quantities must match", "\u0661": "quantities must match",
    "1i": "unable to parse quantity's suffix", "200K": "unable to parse quantity's suffix",
    "-3.01e-": "unable to parse quantity's suffix", "1e999999999": "unable to parse quantity's suffix",
    "1" * 1000: "unable to parse numeric part of quantity",
}  # fmt: skip


@pytest.mark.parametrize(("written", "form"), FORMS.items(), ids=FORMS)
def test_each_amount_has_one_form(written: str, form: str) -> None:
    assert quantities.settled(written) == form
    assert quantities.settled(form) == form


@pytest.mark.parametrize(("value", "form"), [(1, "1"), (0.5, "500m"), (1000, "1k"), (0, "0"), (None, "0")])
def test_numbers_become_texts(value: object, form: str) -> None:
    assert quantities.settled(value) == form


@pytest.mark.parametrize(("text", "why"), MALFORMED.items(), ids=range(len(MALFORMED)))
def test_what_is_no_quantity_is_refused_with_the_known_sentence(text: str, why: str) -> None:
    for read in (quantities.settled, quantities.parse):
        with pytest.raises(errors.BadRequest, match=why):
            read(text)


@pytest.mark.parametrize("value", [True, [], {}])
def test_other_values_are_no_quantities(value: object) -> None:
    with pytest.raises(errors.BadRequest, match="quantities must match"):
        quantities.settled(value)


@given(
    some.integers(-(10**6), 10**6),
    some.sampled_from(["", ".5", ".25", ".125"]),
    some.sampled_from(["m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "E-3"]),
)
def test_the_form_is_worth_as_much_and_stays(number: int, fraction: str, suffix: str) -> None:
    text = f"{number}{fraction}{suffix}"
    form = quantities.settled(text)
    assert quantities.parse(form) == quantities.parse(text)
    assert quantities.settled(form) == form


@given(some.decimals(0, 10**15, places=3), some.booleans())
def test_what_we_write_ourselves_is_settled(amount: Decimal, binary: bool) -> None:
    text = quantities.canonical(amount, binary=binary)
    assert quantities.settled(text) == text
