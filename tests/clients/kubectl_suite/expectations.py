"""Why a group does not pass, beside its name: of kubectl's release, of the suite's, or of Fairway.

A group without an entry has to pass. Reasons that begin with `kubectl` or `suite` go away with a suite and a kubectl of
the same release.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "run_kubectl_version_tests": "kubectl: `version` prints other lines, and has no `--short`",
    "run_save_config_tests": "kubectl: `run --generator=run/v1` is gone",
    "run_kubectl_create_error_tests": "kubectl: lets the server check objects; `convert` is gone",
    "run_kubectl_apply_deployments_tests": "suite: defaults that extensions/v1beta1 had and apps/v1 has not",
    "run_kubectl_old_print_tests": "kubectl: `--use-openapi-print-columns` and columns of its own are gone",
    "run_kubectl_request_timeout_tests": "kubectl: other words for a watch that ran out of time",
    "run_recursive_resources_tests": "kubectl: `convert` has become a plugin",
    "run_template_output_tests": "kubectl: `convert` has become a plugin",
    "run_service_tests": "kubectl: `run --replicas` is gone",
    "run_multi_resources_tests": "suite: fetches a file from the network",
    "run_kubectl_diff_tests": "suite: of a release whose data names another namespace",
    "run_kubectl_events_tests": "suite: of a release whose assertions quote in another way",
    "run_kubectl_scale_tests": "kubectl: only newer ones print what they scaled",
}


def because(group: str) -> str:
    """Empty where nothing is known that keeps the group from passing."""
    return REASONS.get(group, "")
