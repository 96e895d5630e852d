"""Cluster DNS without a server: which name has which addresses, kept in files that pods read at each question.

    Services, EndpointSlices -> one table for the library that is preloaded into pods (`names.c`)
                             -> a hosts file for each pod with a file system view of its own, for programs without libc

A Service's name has its address, a headless one those of its ready pods, each of which has a name of its own there;
an ExternalName stands for another name. A name appears as soon as there is something behind it, in pods that run
already too. Nobody here answers queries: programs that ask a name server by themselves ask the machine's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects import meta
from fairway.kernel.objects.kinds import Object

log = logging.getLogger(__name__)

DOMAIN = "svc.cluster.local"
_SERVICE = "kubernetes.io/service-name"
_GATHER = 0.02
"""Seconds between two writes: what changes together is written together."""
_AGAIN = 1.0
"""Seconds until what could not be written, as on a full disk, is tried again."""
_SHARE = 10.0
"""How much longer than a write the rest after it is, where there are many pods to write for."""
_MACHINES = Path("/etc/hosts")

_WORD = re.compile(r"[-A-Za-z0-9.:_]+")

Table = Mapping[str, tuple[str, ...]]
"""NAME.NAMESPACE, or HOST.NAME.NAMESPACE, to addresses, or to the one name that it stands for."""

_Part = Callable[[Object], object]
"""What of an object matters here."""


def table(services: Iterable[Object], slices: Iterable[Object]) -> Table:
    found: dict[str, tuple[str, ...]] = {}
    headless = set()
    for service in services:
        spec, name = service.get("spec") or {}, f"{meta.name(service)}.{meta.namespace(service)}"
        address = spec.get("clusterIP")
        if spec.get("type") == "ExternalName":
            found[name] = tuple(filter(_is_word, (str(spec.get("externalName") or "").rstrip("."),)))
        elif address == "None":
            headless.add(name)
        elif address:
            found[name] = (str(address),)
    for piece in slices:
        name = f"{meta.labels(piece).get(_SERVICE, '')}.{meta.namespace(piece)}"
        if name in headless:
            for endpoint in piece.get("endpoints") or ():
                _add(found, name, endpoint)
    return found


def text(known: Table) -> str:
    """The table as the library reads it: each line begins after the end of another."""
    lines = (f"{name} {' '.join(values)}\n" for name, values in sorted(known.items()))
    return "# names of this cluster\n" + "".join(lines)


def hosts(known: Table, namespace: str) -> str:
    """The part of a hosts file that pods of a namespace share: every name in all its forms."""
    lines = ["# of the cluster"]
    for name, values in sorted(known.items()):
        forms = [f"{name}.{DOMAIN}", f"{name}.svc", name]
        if name.endswith(f".{namespace}"):
            forms.append(name.removesuffix(f".{namespace}"))
        # A hosts file has no word for a name that stands for another.
        lines += [f"{value}\t{' '.join(forms)}" for value in values if value[:1].isdigit()]
    return "\n".join(lines) + "\n"


def own(pod: Object, address: str) -> list[tuple[str, str]]:
    """The names that only the pod itself knows: its own, and its hostAliases."""
    spec, name = pod["spec"], hostname(pod)
    result = [(name, address)]
    if subdomain := spec.get("subdomain"):
        result.insert(0, (f"{name}.{subdomain}.{meta.namespace(pod)}.{DOMAIN}", address))
    for alias in spec.get("hostAliases") or ():
        result += [(word.lower(), str(alias.get("ip") or "")) for word in alias.get("hostnames") or ()]
    return result


def hostname(pod: Object) -> str:
    """What a pod is called by itself."""
    return str(pod["spec"].get("hostname") or meta.name(pod))[:63].rstrip("-.")


def hosts_file(folder: Path) -> Path:
    """In the folder of a pod."""
    return folder / "hosts"


@dataclass(frozen=True)
class _View:
    """A pod's hosts file: where it is, whose names are short in it, and how it begins."""

    path: Path
    namespace: str
    head: str


class Names:
    """`file` is the table's. What pods have of their own is asked for by `view`, and let go by `forget`."""

    def __init__(self, services: Mirror, slices: Mirror, folder: Path) -> None:
        self.file = folder / "table"
        self._services, self._slices = services, slices
        self._views: dict[str, _View] = {}
        self._known: Table = {}
        self._shared: dict[str, str] = {}
        """By namespace, what the hosts files of its pods have in common now."""
        self._stale = asyncio.Event()
        """Those files are behind the table."""
        self._machines = ""
        self._changed = asyncio.Event()

    def begin(self) -> None:
        """Write what there is now. The mirrors are there already."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with suppress(OSError):
            self._machines = _MACHINES.read_text()
        self._write()
        self._services.subscribe(lambda old, new: self._note(old, new, _address))
        self._slices.subscribe(lambda old, new: self._note(old, new, _endpoints))

    async def run(self) -> None:
        """For ever: write what has changed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_table(), name="node-names-table")
            tasks.create_task(self._keep_views(), name="node-names-views")

    async def _keep_table(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self._write()
            except OSError as failure:
                log.warning("the names of the cluster cannot be written and will be tried again: %s", failure)
                asyncio.get_running_loop().call_later(_AGAIN, self._changed.set)
            await asyncio.sleep(_GATHER)

    async def _keep_views(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            begun = time.monotonic()
            await asyncio.to_thread(_write_all, self._known, tuple(self._views.values()), self._shared)
            await asyncio.sleep(max(_GATHER, _SHARE * (time.monotonic() - begun)))

    def view(self, pod: Object, address: str, folder: Path) -> Path:
        """The pod's hosts file, kept current from now on."""
        path = hosts_file(folder)
        if meta.uid(pod) not in self._views:
            lines = [f"{its}\t{name}\n" for name, its in own(pod, address)]
            head = "".join((self._machines.rstrip("\n"), "\n# of this pod\n", *lines))
            view = self._views[meta.uid(pod)] = _View(path, meta.namespace(pod), head)
            folder.mkdir(parents=True, exist_ok=True)
            _write_all(self._known, (view,), self._shared)
        return path

    def forget(self, uid: str) -> None:
        self._views.pop(uid, None)

    def _note(self, old: Object | None, new: Object | None, part: _Part) -> None:
        if (old and part(old)) != (new and part(new)):
            self._changed.set()

    def _write(self) -> None:
        known = table(self._services.all(), self._slices.all())
        if known == self._known and self.file.exists():
            return
        temporary = self.file.with_name(".table")
        temporary.write_text(text(known))
        temporary.chmod(0o644)
        temporary.rename(self.file)
        self._known, self._shared = known, {}
        self._stale.set()


def _write_all(known: Table, views: Iterable[_View], shared: dict[str, str]) -> None:
    """In their places: they are mounted, and what is mounted is a file and not its name."""
    for view in views:
        if view.namespace not in shared:
            shared[view.namespace] = hosts(known, view.namespace)
        content = (view.head + shared[view.namespace]).encode()
        with suppress(OSError):  # the pod has gone
            descriptor = os.open(view.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.fchmod(descriptor, 0o644)  # whichever user the container runs as
                os.pwrite(descriptor, content, 0)
                os.ftruncate(descriptor, len(content))
            finally:
                os.close(descriptor)


def _address(service: Object) -> object:
    spec = service.get("spec") or {}
    return spec.get("clusterIP"), spec.get("type"), spec.get("externalName")


def _endpoints(piece: Object) -> object:
    return meta.labels(piece).get(_SERVICE), piece.get("endpoints")


def _add(found: dict[str, tuple[str, ...]], name: str, endpoint: Object) -> None:
    if (endpoint.get("conditions") or {}).get("ready") is False:
        return
    addresses = tuple(filter(_is_word, endpoint.get("addresses") or ()))
    found[name] = (*found.get(name, ()), *addresses)
    if (host := endpoint.get("hostname")) and _is_word(host):
        found[f"{host}.{name}"] = (*found.get(f"{host}.{name}", ()), *addresses)


def _is_word(text: str) -> bool:
    """What an earlier Fairway took may hold the end of a line, and a line of somebody's own after it."""
    return _WORD.fullmatch(text) is not None
