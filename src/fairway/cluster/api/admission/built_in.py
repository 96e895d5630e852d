"""The steps that every server has, in upstream's order: what completes before what asks, what counts last."""

from __future__ import annotations

from fairway.cluster.api.admission.account_tokens import AccountTokens
from fairway.cluster.api.admission.accounts import Accounts
from fairway.cluster.api.admission.chain import Chain
from fairway.cluster.api.admission.host_folders import HostFolders
from fairway.cluster.api.admission.jobsets import JobSets
from fairway.cluster.api.admission.limits import Limits
from fairway.cluster.api.admission.namespaces import NamespaceLifecycle
from fairway.cluster.api.admission.pod_security.step import PodSecurity
from fairway.cluster.api.admission.policies.invoking import Invoker
from fairway.cluster.api.admission.policies.mutating import MutatingPolicies
from fairway.cluster.api.admission.policies.validating import ValidatingPolicies
from fairway.cluster.api.admission.priorities import Priority
from fairway.cluster.api.admission.quotas import Quota
from fairway.cluster.api.admission.storage import Storage
from fairway.cluster.api.admission.tolerations import Tolerations
from fairway.cluster.api.admission.webhooks.asking import Asker
from fairway.cluster.api.admission.webhooks.mutating import MutatingWebhooks
from fairway.cluster.api.admission.webhooks.validating import ValidatingWebhooks
from fairway.cluster.api.aside import Aside
from fairway.cluster.api.authorizing.escalation import NoEscalation
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.identity.tokens import Issuer
from fairway.cluster.api.registry import Registry
from fairway.cluster.api.signing.approval import CertificateRequests
from fairway.cluster.store.protocol import Store
from fairway.kernel.clock import Clock


def chain(
    store: Store, clock: Clock, registry: Registry, asker: Asker, grants: Grants, issuer: Issuer, aside: Aside
) -> Chain:
    invoker = Invoker(store, registry, asker, grants, aside)
    return Chain(
        (
            NamespaceLifecycle(store),
            Limits(store),
            Accounts(store, clock),
            Priority(store),
            Storage(store),
            Tolerations(),
            JobSets(),
            MutatingPolicies(store, invoker),
            MutatingWebhooks(store, registry, asker),
            ValidatingPolicies(store, invoker),
            ValidatingWebhooks(store, registry, asker),
            AccountTokens(store, issuer),
            CertificateRequests(grants),
            NoEscalation(grants),
            HostFolders(grants),
            PodSecurity(store),
            Quota(store),
        )
    )
