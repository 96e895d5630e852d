"""Why a group does not pass, beside its name. A group without an entry has to pass.

A reason begins with whose it is: `release` (a server of 1.36 has not what the suite of 1.20 asks for), `kubectl` (its
release differs from the suite's), `suite`, or `Fairway`.
"""

from __future__ import annotations

from collections.abc import Mapping

_AUTHORITIES = "Fairway: Python's TLS asks for certificates of clients without naming who may have signed them"
_AUTOSCALERS = "release: autoscalers are shown as autoscaling/v2"
_CRON_JOBS = "release: batch/v1beta1 is gone"
_DEFINITIONS = "release: apiextensions.k8s.io/v1beta1 is gone"
_ROLES = "release: rbac.authorization.k8s.io/v1beta1, whose warnings it reads, is gone"
_NETWORK = "suite: fetches a file from the network"
_REQUESTS = "release: certificates.k8s.io/v1beta1 is gone"

AS_IT_IS: Mapping[str, str] = {
    "run_kubectl_local_proxy_tests": "release: the group extensions is gone",
    "run_role_tests": _ROLES,
    "run_assert_short_name_tests": "release: a ConfigMap tells its singular name",
    "run_pod_tests": "release: policy/v1beta1, with which this kubectl makes budgets, is gone",
    "run_save_config_tests": _AUTOSCALERS,
    "run_kubectl_apply_tests": f"{_DEFINITIONS}; this kubectl prunes by versions that are gone",
    "run_kubectl_server_side_apply_tests": _DEFINITIONS,
    "run_kubectl_get_tests": _AUTOSCALERS,
    "run_crd_tests": _DEFINITIONS,
    "run_recursive_resources_tests": _AUTOSCALERS,
    "run_namespace_tests": "kubectl: takes it for an error to wait for the end of what is gone already",
    "run_job_tests": _CRON_JOBS,
    "run_create_job_tests": _CRON_JOBS,
    "run_rc_tests": _AUTOSCALERS,
    "run_deployment_tests": _AUTOSCALERS,
    "run_rs_tests": _AUTOSCALERS,
    "run_multi_resources_tests": _NETWORK,
    "run_nodes_tests": "release: authentication.k8s.io/v1beta1 is gone",
    "run_exec_credentials_tests": _AUTHORITIES,
    "run_authorization_tests": "release: authorization.k8s.io/v1beta1 is gone",
    "run_template_output_tests": _CRON_JOBS,
    "run_certificates_tests": _REQUESTS,
    "run_impersonation_tests": _REQUESTS,
}
"""Of the suite as it is, with a kubectl of its release."""

TODAY: Mapping[str, str] = {
    "run_kubectl_version_tests": "kubectl: `version` prints other lines, and has no `--short`",
    "run_role_tests": _ROLES,
    "run_kubectl_create_error_tests": "kubectl: lets the server check objects, in other words",
    "run_service_tests": "kubectl: `run --service-overrides` is gone",
    "run_multi_resources_tests": _NETWORK,
    "run_exec_credentials_tests": _AUTHORITIES,
}
"""Of the suite brought to today, with a present kubectl."""
