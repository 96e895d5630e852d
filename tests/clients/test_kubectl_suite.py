"""The judge by kubectl's own suite: how it finds groups, brings an old suite to today, and counts; and a few groups."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.clients.kubectl_suite import __main__ as judge
from tests.clients.kubectl_suite import doorway, expectations, groups, report, today
from tests.clients.kubectl_suite.judging import Verdict
from tests.clients.kubectl_suite.report import Round

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
    "a.sh": "run_a_tests() {\n  kubectl apply --prune-whitelist\n  run_part_tests\n}\nrun_part_tests() {\n  true\n}\n",
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
    assert groups.line(checkout, "a.sh:2") == "kubectl apply --prune-whitelist"
    assert groups.line(checkout, "run_a_tests left early") == ""


def test_an_old_suite_is_brought_to_the_versions_of_today(checkout: Path, tmp_path: Path) -> None:
    brought = today.brought(checkout, tmp_path)
    assert "--prune-allowlist" in (brought / "test/cmd/a.sh").read_text()
    assert "--prune-whitelist" in (checkout / "test/cmd/a.sh").read_text(), "the checkout stays as it is"
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
    fails = Verdict("run_b_tests", ("a.sh:2", "a.sh:3"), 2.0)
    then = Round(
        "as it is, with kubectl v1.20.0", {"run_b_tests": "v1beta1 is gone"}, [Verdict("run_a", (), 1.0), fails]
    )
    now = Round(
        "brought to today, with kubectl v1.36.3", {}, [Verdict("run_a", (), 1.0), Verdict("run_b_tests", (), 1.0)]
    )
    report.write(page, [then, now])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "Of 2 groups 2 pass: 1 as it is, with kubectl v1.20.0; 2 brought to today, with kubectl v1.36.3." in text
    assert "| b_tests | a.sh:2 and 1 more | passes | v1beta1 is gone |" in text


def test_a_group_that_fails_without_a_reason_is_named(tmp_path: Path) -> None:
    alone = Round("the suite", {}, [Verdict("run_a", ("a.sh:1",), 1.0)])
    assert alone.unexplained() == ["run_a"]
    assert report.counted([alone]).endswith("Not explained: run_a.")


def test_reasons_name_groups_by_the_names_they_have() -> None:
    for reasons in (expectations.AS_IT_IS, expectations.TODAY):
        assert all(name.startswith("run_") and reason for name, reason in reasons.items())


def test_only_the_suites_administrator_gets_the_owners_token() -> None:
    head = b"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nConnection: keep-alive\r\n\r\n"
    let_in = doorway.with_token(head % doorway.ADMINISTRATOR, "owners")
    assert let_in == b"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer owners\r\nConnection: close\r\n\r\n"
    assert b"Authorization: Basic eA==\r\n" in doorway.with_token(head % b"Basic eA==", "owners")


@pytest.mark.slow
@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on PATH, and KUBECTL does not name one")
@pytest.mark.skipif(groups.checkout() is None, reason=f"{groups.VARIABLE} names no checkout of kubernetes/kubernetes")
def test_a_few_groups_of_upstreams_pass(tmp_path: Path) -> None:
    root, kubectl = groups.checkout(), KUBECTL
    assert root and kubectl
    chosen = ["run_assert_categories_tests", "run_configmap_tests", "run_secrets_test", "run_service_accounts_tests"]
    brought = today.brought(root, tmp_path)
    verdicts = asyncio.run(judge.run(tmp_path / "cluster", brought, Path(kubectl), chosen, tmp_path / "logs"))
    assert {verdict.group: verdict.misses for verdict in verdicts} == dict.fromkeys(chosen, ())
