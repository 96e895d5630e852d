"""From a pod and one of its containers to a `ContainerSpec`: everything resolved, everything on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fairway.cluster.node import claims, environments, logins, names, requirements, security, variables, warm
from fairway.cluster.node.addresses import Addresses
from fairway.cluster.node.claims import Folders
from fairway.cluster.node.credentials import Credentials, Files, Wanted
from fairway.cluster.node.gpus import Devices
from fairway.cluster.node.names import Names
from fairway.cluster.node.runtime import POD_IP, CannotStart, ContainerId, ContainerSpec, Mount, PodRuntime
from fairway.cluster.node.variables import Facts
from fairway.cluster.node.volumes import folders
from fairway.cluster.node.volumes.contents import Token
from fairway.cluster.node.volumes.following import Following, Seen
from fairway.kernel.client.client import Client
from fairway.kernel.control.mirror import Mirror
from fairway.kernel.objects import errors, meta, quantities, volume_claims
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, Kind, Object

RUNTIME = "fairway.dev/runtime"
"""The annotation of a pod that says how its containers run: process or container."""
_TERMINATION_LOG = "/dev/termination-log"


@dataclass(frozen=True)
class Launcher:
    client: Client
    runtime: PodRuntime
    credentials: Credentials
    addresses: Addresses
    devices: Devices
    services: Mirror
    names: Names
    claims: Folders
    following: Following
    node_name: str
    host_ip: str
    api_url: str
    allocatable: dict[str, str]
    pulls: Callable[[str], bool]
    """Whether an image may have to be pulled."""

    def address(self, pod: Object) -> str:
        """The pod's address: the one it has, or a new one, which the runtime writes down with its first container.

        Its status is not asked: whoever may write that could name another pod's.
        """
        uid = meta.uid(pod)
        if not self.addresses.of(uid) and (known := self._known_address(uid)):
            self.addresses.keep(uid, known)
        return self.addresses.give(uid)

    def keep(self, pod: Object) -> None:
        """What a pod that was here before has, so that no other is given it."""
        address = self._known_address(meta.uid(pod))
        if address:
            self.addresses.keep(meta.uid(pod), address)
        folder = self.runtime.folder(meta.uid(pod))
        self.devices.keep(meta.uid(pod), folder)
        if _shows_account(pod) and self.api_url:
            self.credentials.keep(meta.namespace(pod), _account(pod))
        self._renew_tokens(pod, folder, written=0.0)
        if address and (folder / "volumes").exists():
            self.following.follow(pod, folder, self._facts(address), self._token_for(pod), None)
        if address and names.hosts_file(folder).exists():
            self.names.view(pod, address, folder)

    def _known_address(self, uid: str) -> str:
        return next((state.address for state in self.runtime.states(uid) if state.address), "")

    def free(self, uid: str) -> None:
        self.addresses.free(uid)
        self.devices.free(uid)
        self.names.forget(uid)
        self.credentials.forget(uid)
        self.following.forget(uid)

    async def spec(self, pod: Object, container: Object, attempt: int) -> ContainerSpec:
        """Raises CannotStart, or an ApiError where the API has to be asked again."""
        _refuse(container)
        facts = self._facts(self.address(pod))
        folder = self.runtime.folder(meta.uid(pod))
        places = await self._places(pod, folder, facts)
        annotations = meta.annotations(pod)
        files = await self._files(pod)
        env = await variables.variables(pod, container, facts, self._first(pod, container, facts, files), self._fetch)
        mounts = folders.mounts(container, places, env, folder)
        self._renew_tokens(pod, folder, written=self.credentials.now())
        note = termination_log(folder, container["name"], attempt)
        own = _own(note, container, files)
        if mounts or warm.ANNOTATION not in annotations or annotations.get(RUNTIME):
            # Everybody but warm starts without volumes: a view of the files takes longer than such a start.
            place = str(self.names.file.parent)
            hosts = self.names.view(pod, facts.pod_ip, folder)
            own += (Mount(str(hosts), "/etc/hosts"), Mount(place, place, read_only=True))
            folder.mkdir(parents=True, exist_ok=True)
            note.touch()
            taken = {mount.target for mount in mounts}
            mounts += tuple(mount for mount in own if mount.target not in {mount.source, *taken})
        limits = (container.get("resources") or {}).get("limits") or {}
        return ContainerSpec(
            ContainerId(meta.uid(pod), container["name"], attempt),
            container["image"],
            tuple(variables.expand(text, env) for text in container.get("command") or ()),
            tuple(variables.expand(text, env) for text in container.get("args") or ()),
            {**env, "FAIRWAY_TERMINATION_LOG": str(note)},
            container.get("workingDir") or "",
            mounts,
            annotations.get(warm.ANNOTATION, ""),
            requirements.parse(annotations.get(requirements.ANNOTATION, "")),
            quantities.whole(limits.get("memory") or 0),
            annotations.get(environments.INSTALLS) == "true",
            annotations.get(RUNTIME, ""),
            container.get("imagePullPolicy") or "IfNotPresent",
            quantities.milli(limits.get("cpu") or 0),
            own,
            security.of(pod, container),
            bool(container.get("stdin")),
            bool(container.get("stdinOnce")),
            bool(container.get("tty")),
            await logins.of(pod, self._fetch) if annotations.get(RUNTIME) or self.pulls(container["image"]) else "",
        )

    async def _places(self, pod: Object, folder: Path, facts: Facts) -> dict[str, folders.Place]:
        """Its volumes, which follow what they were made of from now on."""
        seen: Seen = {}

        async def fetch(kind: Kind, name: str, namespace: str) -> Object | None:
            seen[(kind, name)] = found = await self._fetch(kind, name, namespace)
            return found

        token = self._token_for(pod)
        places = await folders.Volumes(self.claims, fetch, self._bind).prepare(pod, folder, facts, token)
        self.following.follow(pod, folder, facts, token, seen)
        return places

    def _facts(self, address: str) -> Facts:
        return Facts(self.node_name, self.host_ip, address, self.allocatable)

    def _first(self, pod: Object, container: Object, facts: Facts, files: Files | None) -> dict[str, str]:
        """What every container finds, whatever its spec says."""
        api = urlsplit(self.api_url)
        result = {
            **self.devices.variables(meta.uid(pod), self.runtime.folder(meta.uid(pod)), container),
            "HOSTNAME": names.hostname(pod),
            POD_IP: facts.pod_ip,
            "FAIRWAY_NAMES": str(self.names.file),
            "FAIRWAY_NAMESPACE": meta.namespace(pod),
            "FAIRWAY_HOSTS": " ".join(f"{name}={address}" for name, address in names.own(pod, facts.pod_ip)),
            "KUBERNETES_SERVICE_HOST": api.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(api.port or 443),
        }
        if files:
            result["KUBECONFIG"] = str(files.kubeconfig)
        if pod["spec"].get("enableServiceLinks", True):
            result = {**variables.services(self.services.all(meta.namespace(pod))), **result}
        return result

    async def _files(self, pod: Object) -> Files | None:
        if not _shows_account(pod) or not self.api_url:
            return None
        return await self.credentials.files(meta.namespace(pod), _account(pod))

    def _token_for(self, pod: Object) -> Token:
        async def token(source: Object) -> str:
            wanted = _wanted(pod, source)
            return (await self.credentials.token(wanted))[0]

        return token

    def _renew_tokens(self, pod: Object, folder: Path, *, written: float) -> None:
        """The tokens in its volumes, from now on, as long as it is here."""
        for file, source in folders.tokens(pod, folder):
            self.credentials.follow(meta.uid(pod), file, _wanted(pod, source), written)

    async def _bind(self, claim: Object) -> None:
        spec = claim["spec"]
        if spec.get("volumeName"):
            await self._take(spec["volumeName"], claim)
        elif claims.HOST_PATH not in meta.annotations(claim):
            await self._provide(claim)
        status = {
            "phase": "Bound",
            "accessModes": spec.get("accessModes") or [],
            "capacity": (spec.get("resources") or {}).get("requests") or {},
        }
        await self.client.patch_status(PERSISTENT_VOLUME_CLAIM, meta.name(claim), meta.namespace(claim), status)

    async def _take(self, name: str, claim: Object) -> None:
        """A volume that nobody has yet is this claim's from now on. Raises Conflict where another was quicker."""
        volume = await self._fetch(PERSISTENT_VOLUME, name, "")
        if volume is not None and not volume["spec"].get("claimRef"):
            as_it_was = {"resourceVersion": volume["metadata"]["resourceVersion"]}
            patch = {"metadata": as_it_was, "spec": {"claimRef": volume_claims.reference(claim)}}
            await self.client.patch(PERSISTENT_VOLUME, name, None, patch)

    async def _provide(self, claim: Object) -> None:
        """Make a volume of the claim's folder, so that it is seen where volumes are, and say so in the claim."""
        made = claims.volume(claim, self.claims.of(claim), self.node_name)
        with suppress(errors.AlreadyExists):
            await self.client.create(PERSISTENT_VOLUME, made)
        bound = {"metadata": {"annotations": {claims.BOUND: "yes"}}, "spec": {"volumeName": meta.name(made)}}
        await self.client.patch(PERSISTENT_VOLUME_CLAIM, meta.name(claim), meta.namespace(claim), bound)

    async def _fetch(self, kind: Kind, name: str, namespace: str) -> Object | None:
        return await self.client.find(kind, name, namespace)


def _wanted(pod: Object, source: Object) -> Wanted:
    return Wanted(
        meta.namespace(pod),
        _account(pod),
        source.get("expirationSeconds") or 3600,
        (source["audience"],) if source.get("audience") else (),
    )


def _account(pod: Object) -> str:
    return str(pod["spec"].get("serviceAccountName") or "default")


def _shows_account(pod: Object) -> bool:
    """Whether its containers find a token of their account."""
    return pod["spec"].get("automountServiceAccountToken") is not False


def termination_log(folder: Path, container: str, attempt: int) -> Path:
    """Where the container may leave a message about its end; its path is in FAIRWAY_TERMINATION_LOG."""
    return folder / f"termination-{container}-{attempt}"


def _own(note: Path, container: Object, files: Files | None) -> tuple[Mount, ...]:
    """The places of what the platform gives a container, as Kubernetes has them and as the environment tells them."""
    mounts = [
        Mount(str(note), container.get("terminationMessagePath") or _TERMINATION_LOG),
        Mount(str(note), str(note)),
    ]
    if files:
        mounts += [Mount(str(files.folder), place, True) for place in (folders.ACCOUNT_FOLDER, str(files.folder))]
    return tuple(mounts)


def _refuse(container: Object) -> None:
    """What this node does not do is said before anything starts."""
    if container.get("volumeDevices"):
        raise CannotStart("VolumeNotSupported", "volumeDevices are not supported on one machine: use volumeMounts")
