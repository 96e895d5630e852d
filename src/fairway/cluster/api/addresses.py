"""Addresses of Services: each gets one of the service network, once, until it is deleted."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from fairway.kernel.objects.errors import Cause, Unavailable
from fairway.kernel.objects.kinds import Object

HEADLESS = "None"

_FIRST = int(ipaddress.IPv4Address("127.32.0.0"))


def network_of(folder: Path, *, prefix: int = 20) -> str:
    """One of the networks of 127.32.0.0/11 for Services, by data directory: two platforms on one machine share the
    loopback device, and must not share a Service's address.

    There are 512 networks of 4,096 addresses; a longer prefix makes more of them, each smaller.
    """
    networks = 1 << (prefix - 11)
    chosen = int.from_bytes(hashlib.sha256(str(folder.resolve()).encode()).digest()[:4]) % networks
    return str(ipaddress.IPv4Network((_FIRST + (chosen << (32 - prefix)), prefix)))


class Addresses:
    """What is in use is what `taken` says (from the store) and what was given since."""

    def __init__(self, network: str, taken: Iterable[Object] = ()) -> None:
        self._network = ipaddress.IPv4Network(network)
        # The first address is kept for the API server itself, as upstream keeps it for `kubernetes`.
        self._next = 2
        self._used = {address for service in taken if (address := of(service))}

    def assign(self, service: Object) -> list[Cause]:
        """Give the service an address, or reserve the one it asks for. What is wrong with that one is returned."""
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or spec.get("clusterIP") == HEADLESS:
            return []
        asked = spec.get("clusterIP")
        if asked:
            problem = self._problem(asked)
            if problem:
                return [Cause("spec.clusterIPs", f'Invalid value: ["{asked}"]: {problem}')]
        address = asked or self._free()
        self._used.add(address)
        spec |= {"clusterIP": address, "clusterIPs": [address]}
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        return []

    def release(self, service: Object) -> None:
        self._used.discard(of(service))

    def _problem(self, address: str) -> str:
        try:
            inside = ipaddress.IPv4Address(address) in self._network
        except ValueError:
            return "must be a valid IPv4 address"
        if not inside:
            return f"failed to allocate IP {address}: the provided IP is not in the valid range {self._network}"
        return f"failed to allocate IP {address}: provided IP is already allocated" if address in self._used else ""

    def _free(self) -> str:
        size = self._network.num_addresses
        for _ in range(size):
            candidate = str(self._network[self._next])
            self._next = self._next + 1 if self._next + 2 < size else 2
            if candidate not in self._used:
                return candidate
        raise Unavailable(f"the service network {self._network} has no free address left: delete Services not in use")


def of(service: Object) -> str:
    address = str((service.get("spec") or {}).get("clusterIP") or "")
    return "" if address == HEADLESS else address
