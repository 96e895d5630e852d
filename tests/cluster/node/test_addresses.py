"""Pod addresses: one pod each, kept while in use."""

from __future__ import annotations

import ipaddress

import pytest

from fairway.cluster.node.addresses import Addresses


def test_each_pod_has_its_own_and_keeps_it() -> None:
    addresses = Addresses()
    given = [addresses.give(f"pod-{number}") for number in range(600)]
    assert len(set(given)) == 600
    assert given[0] == addresses.give("pod-0") == "127.64.0.1"
    assert not any(address.endswith((".0", ".255")) for address in given)


def test_what_was_in_use_before_is_not_given_again() -> None:
    addresses = Addresses()
    addresses.keep("old", "127.64.0.1")
    assert addresses.give("new") == "127.64.0.2"
    assert addresses.give("old") == "127.64.0.1"


def test_nobody_gets_anothers_or_one_that_is_none_by_saying_so() -> None:
    addresses = Addresses()
    addresses.keep("first", "127.64.0.1")
    for said in ("127.64.0.1", "127.0.0.1", "10.0.0.1", "::1", "x", ""):
        addresses.keep("second", said)
    assert (addresses.of("first"), addresses.of("second")) == ("127.64.0.1", None)


def test_a_freed_address_rests() -> None:
    addresses = Addresses()
    first = addresses.give("a")
    addresses.free("a")
    assert addresses.give("b") != first


def test_all_are_used_before_it_gives_up() -> None:
    addresses = Addresses(ipaddress.IPv4Network("127.64.0.0/29"))
    given = {addresses.give(str(number)) for number in range(7)}
    assert len(given) == 7
    with pytest.raises(RuntimeError):
        addresses.give("one too many")
    addresses.free("3")
    assert addresses.give("again") in given


def test_two_servers_on_one_machine_do_not_meet() -> None:
    one, other = (Addresses(owner=folder) for folder in ("/home/ann/fairway", "/home/bob/fairway"))
    assert not {one.give(str(number)) for number in range(300)} & {other.give(str(number)) for number in range(300)}
