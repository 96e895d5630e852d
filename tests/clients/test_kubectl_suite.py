"""The judge by kubectl's own suite: how it finds groups, brings an old suite to today, and counts; and a few groups."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.clients.kubectl_suite import __main__ as judge
from tests.clients.kubectl_suite import expectations, groups, report, today
from tests.clients.kubectl_suite.judging import Verdict

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")
SCRIPT = """runTests() {
  record_command run_b_tests
  if x; then
    record_command run_a_tests
  fi
  run_b_tests
}
"""
GROUPS = {
    "a.sh": "run_a_tests() {\n  kubectl get x --server-dry-run\n  run_inner_tests\n}\nrun_inner_tests() {\n  true\n}\n",
    "b.sh": "run_b_tests() {\n  true\n}\nrun_new_tests() {\n  true\n}\n",
    "kubeadm.sh": "run_kubeadm_tests() {\n  true\n}\n",
}
DEFINITION = """kubectl create -f - <<END
{
  "kind": "CustomResourceDefinition",
  "apiVersion": "apiextensions.k8s.io/v1beta1",
  "metadata": {"name": "foos.company.com"},
  "spec": {"group": "company.com", "version": "v1", "names": {"plural": "foos", "kind": "Foo"}}
}
END
"""
DEPLOYMENT = "apiVersion: extensions/v1beta1\nkind: Deployment\nspec:\n  template:\n    metadata: {labels: {a: b}}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name, text in {**GROUPS, "legacy-script.sh": SCRIPT, "crd.sh": DEFINITION}.items():
        file = root / "test/cmd" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "hack/testdata").mkdir(parents=True)
    (root / "hack/testdata/web.yaml").write_text(DEPLOYMENT)
    return root


def test_groups_come_in_upstreams_order_and_newer_ones_after_them(checkout: Path) -> None:
    assert groups.find(checkout) == ["run_b_tests", "run_a_tests", "run_new_tests"]
    assert groups.line(checkout, "a.sh:2") == "kubectl get x --server-dry-run"
    assert groups.line(checkout, "run_a_tests left early") == ""


def test_an_old_suite_is_brought_to_the_versions_of_today(checkout: Path, tmp_path: Path) -> None:
    brought = today.brought(checkout, tmp_path)
    assert "--dry-run=server" in (brought / "test/cmd/a.sh").read_text()
    assert "--server-dry-run" in (checkout / "test/cmd/a.sh").read_text(), "the checkout stays as it is"
    text = (brought / "test/cmd/crd.sh").read_text()
    definition = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert definition["apiVersion"] == "apiextensions.k8s.io/v1"
    (version,) = definition["spec"]["versions"]
    assert version["schema"]["openAPIV3Schema"]["type"] == "object"
    data = (brought / "hack/testdata/web.yaml").read_text()
    assert "apps/v1" in data and "matchLabels" in data


def test_the_table_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    known = next(iter(expectations.REASONS))
    verdicts = [Verdict("run_b_tests", (), 1.0), Verdict(known, ("a.sh:2", "a.sh:3"), 2.0)]
    report.write(page, "The suite", verdicts)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "Of 2 groups: 1 pass, 1 do not and it is said why, 0 do otherwise." in text
    assert "| a.sh:2 and 1 more |" in text


@pytest.mark.slow
@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH, and KUBECTL does not name one")
@pytest.mark.skipif(groups.checkout() is None, reason=f"{groups.VARIABLE} names no checkout of kubernetes/kubernetes")
def test_a_few_groups_of_upstreams_pass(tmp_path: Path) -> None:
    root, kubectl = groups.checkout(), KUBECTL
    assert root and kubectl
    chosen = ["run_assert_categories_tests", "run_configmap_tests", "run_secrets_test", "run_service_accounts_tests"]
    verdicts = asyncio.run(judge.run(tmp_path, today.brought(root, tmp_path), Path(kubectl), chosen, tmp_path))
    assert {verdict.group: verdict.misses for verdict in verdicts} == dict.fromkeys(chosen, ())
