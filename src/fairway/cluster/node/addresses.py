"""Pod addresses: loopback aliases of 127.64.0.0/10, which Linux answers on without any set-up.

An address belongs to one pod as long as the pod is here, and stays with it over restarts of the server: it is in
the pod's status, and in its folder. Freed addresses rest until all others have had their turn.
"""

from __future__ import annotations

import hashlib
import ipaddress

NETWORK = ipaddress.IPv4Network("127.64.0.0/10")


class Addresses:
    def __init__(self, network: ipaddress.IPv4Network = NETWORK, owner: str = "") -> None:
        """Two servers on one machine that name different owners begin far apart, and hardly ever meet."""
        self._first = int(network.network_address)
        self._size = network.num_addresses
        self._next = int(hashlib.sha256(owner.encode()).hexdigest(), 16) % self._size if owner else 1
        self._by_pod: dict[str, int] = {}
        self._texts: dict[str, str] = {}
        self._taken: set[int] = set()

    def keep(self, pod: str, address: str) -> None:
        """A pod that was here before has this one. What is none of ours, or another's, it does not get by saying so."""
        try:
            number = int(ipaddress.IPv4Address(address)) - self._first
        except ValueError:
            return
        if 0 < number < self._size and pod not in self._by_pod and number not in self._taken:
            self._take(pod, number)
            self._next = max(self._next, number + 1)

    def of(self, pod: str) -> str | None:
        """The pod's address, if it has one."""
        return self._texts.get(pod)

    def give(self, pod: str) -> str:
        """The pod's address; a free one the first time."""
        if pod not in self._by_pod:
            self._take(pod, self._free())
        return self._texts[pod]

    def free(self, pod: str) -> None:
        number = self._by_pod.pop(pod, None)
        if number is not None:
            self._taken.discard(number)
            del self._texts[pod]

    def _take(self, pod: str, number: int) -> None:
        self._by_pod[pod] = number
        self._texts[pod] = str(ipaddress.IPv4Address(self._first + number))
        self._taken.add(number)

    def _free(self) -> int:
        for _ in range(self._size):
            number = self._next % self._size
            self._next = number + 1
            # .0 and .255 look like a network and a broadcast address to some programs.
            if number not in self._taken and number & 0xFF not in (0, 0xFF):
                return number
        raise RuntimeError("every pod address is in use")
