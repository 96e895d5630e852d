"""The record by which a room offers itself: its kinds, controllers, routes, background services, pages.

`up`, `install`, `front` and `cli` read this record and nothing else of a room. A room builds its parts from
a `Platform`, which is values and addresses: what a room needs more of (records, artifacts) it opens itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.control.controller import Controller
from fairway.kernel.objects.crds import CustomKind
from fairway.kernel.settings import Settings

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Platform:
    """Where a feature runs. The same values on one machine and on a cluster, with other contents."""

    client: Client
    clock: Clock
    public_url: str
    """Where people reach the front door and the gateway, as in http://127.0.0.1:8080 (no slash at the end)."""
    records_url: str
    """SQLAlchemy URL of the records database."""
    artifacts_url: str
    """Root of the artifacts: file:///... or s3://..."""
    state_dir: Path
    """A folder of this process for caches; losing it loses nothing."""
    domain: str = "example.com"
    """What the host names of services end in; KServe's own default."""
    settings: tuple[Settings, ...] = ()
    """Those of the rooms that have some."""

    def settings_of(self, kind: type[S]) -> S:
        """A room's own settings; the defaults where nothing was set."""
        return next((each for each in self.settings if isinstance(each, kind)), None) or kind()


Ready = Callable[[], None]


@dataclass(frozen=True)
class Service:
    """A loop with a name. `run` is given `ready`, calls it once others may rely on it, and then goes on."""

    name: str
    run: Callable[[Ready], Awaitable[None]]


@dataclass(frozen=True)
class Route:
    """An HTTP route of the front door. Everyone who calls it has an identity, unless it says `public`.

    The handler finds the caller in `request[IDENTITY]`.
    """

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    public: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a user name and groups, as Kubernetes' TokenReview gives them."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """What the one who vouched for them adds, such as the pod whose token it was."""
    impersonator: Identity | None = None
    """Who acts as this one; None where they act for themselves."""

    @property
    def bound_to(self) -> str:
        """The one namespace of a service account; empty for everyone else."""
        return self.user.split(":")[2] if self.user.startswith("system:serviceaccount:") else ""


IDENTITY = web.RequestKey("identity", Identity)
"""Where a handler finds the caller."""


@dataclass(frozen=True)
class Page:
    """A page of the dashboard: the title in the side bar and the hash route it opens."""

    title: str
    route: str


@dataclass(frozen=True)
class Parts:
    controllers: tuple[Controller, ...] = ()
    routes: tuple[Route, ...] = ()
    services: tuple[Service, ...] = ()


@dataclass(frozen=True)
class Feature:
    name: str
    build: Callable[[Platform], Parts]
    kinds: tuple[CustomKind, ...] = ()
    pages: tuple[Page, ...] = field(default=())
    settings: type[Settings] | None = None
    """Read from the table of the configuration file that has the feature's name."""
