"""Gives the room's controllers and services to `up`."""

from __future__ import annotations

from fairway.cluster.workloads import (
    api_services,
    autoscaling,
    budgets,
    certificates,
    cluster_roles,
    cronjobs,
    daemonsets,
    deployments,
    endpoints,
    garbage,
    namespaces,
    quotas,
    replicasets,
    statefulsets,
)
from fairway.cluster.workloads.jobs import controller as jobs
from fairway.cluster.workloads.jobset import controller as jobsets
from fairway.cluster.workloads.jobset.kinds import KINDS as JOB_SET_KINDS
from fairway.cluster.workloads.scheduling import evictions, scheduler
from fairway.cluster.workloads.volumes import claims, lives, protection
from fairway.kernel.client.client import Client
from fairway.kernel.clock import Clock
from fairway.kernel.feature import Parts
from fairway.kernel.objects.crds import CustomKind

KINDS: tuple[CustomKind, ...] = JOB_SET_KINDS
"""What the API must know before the controllers start."""

JOB_RETRY_DELAY = 1.0
"""Seconds before a Job's failed pod is made again, doubling. Upstream's 10 s is for clusters where a failed
start costs a node and a registry; here it costs a process."""


def build(
    client: Client,
    clock: Clock,
    *,
    ca_pem: str = "",
    sign: certificates.Sign | None = None,
    look: api_services.Look | None = None,
    job_retry_delay: float = JOB_RETRY_DELAY,
) -> Parts:
    """`ca_pem` is the API server's certificate authority, which every namespace gets in a ConfigMap; `sign` makes
    certificates of clients with it. `look` asks a server of an aggregated API what it serves."""
    return Parts(
        controllers=(
            namespaces.controller(ca_pem),
            *replicasets.controllers(),
            deployments.controller(),
            autoscaling.controller(),
            statefulsets.controller(),
            daemonsets.controller(),
            jobs.controller(job_retry_delay),
            cronjobs.controller(),
            jobsets.controller(),
            endpoints.controller(),
            budgets.controller(),
            evictions.controller(),
            claims.controller(),
            lives.controller(),
            *protection.controllers(),
            cluster_roles.controller(),
            certificates.controller(sign),
            api_services.controller(look),
        ),
        services=(scheduler.service(client, clock), garbage.service(client, clock), quotas.service(client, clock)),
    )
