"""The dashboard in a real browser: log in once, read a run, its logs, try a service, look at a pod."""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.conftest import Installation
from tests.e2e.town import Cluster

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
]

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def demonstrated(platform: Installation) -> Installation:
    """The platform after `fairway demo` was run on it."""
    result = platform.fairway("demo", timeout=150)
    assert "every part held" in result.stdout
    return platform


@pytest.fixture
def page(demonstrated: Installation) -> Iterator[Page]:
    """A logged-in page that saw no error in the console."""
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET)
        one = browser.new_page(viewport={"width": 1400, "height": 900})
        one.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        one.on("pageerror", lambda error: problems.append(str(error)))
        one.goto(demonstrated.fairway("open").stdout.strip())
        yield one
        browser.close()
    assert not problems


def test_a_run_shows_its_graph_its_values_and_its_logs(page: Page) -> None:
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_role("link", name="demo").first.click()
    expect(page.get_by_text("11 of 11 steps done")).to_be_visible()
    for step in ("load-data", "train-model", "pick-best", "deploy-model"):
        expect(page.get_by_text(step).first).to_be_visible()
    page.get_by_text("evaluate-model").first.click()
    expect(page.get_by_text("roc_auc").first).to_be_visible()
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_text(re.compile("area under the ROC curve"))).to_be_visible()


def test_a_service_can_be_tried(page: Page) -> None:
    page.get_by_role("link", name="Services").first.click()
    page.get_by_role("link", name="breast-cancer").first.click()
    expect(page.get_by_text("Ready").first).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(re.compile('"predictions"'))).to_be_visible()


GRAPH = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "InferenceGraph",
    "metadata": {"name": "second-opinion"},
    "spec": {
        "nodes": {
            "root": {
                "routerType": "Sequence",
                "steps": [
                    {"serviceName": "breast-cancer", "dependency": "Hard"},
                    {"nodeName": "again", "condition": "predictions.0"},
                ],
            },
            "again": {"routerType": "Splitter", "steps": [{"serviceName": "breast-cancer", "weight": 100}]},
        }
    },
}


def test_a_graph_shows_its_nodes_and_where_their_steps_go(page: Page, demonstrated: Installation) -> None:
    graphs = "/apis/serving.kserve.io/v1alpha1/namespaces/default/inferencegraphs"
    Cluster(demonstrated).call("POST", graphs, GRAPH)
    page.get_by_role("link", name="Graphs").first.click()
    expect(page.get_by_text("root: Sequence, again: Splitter")).to_be_visible()
    page.get_by_role("link", name="second-opinion").first.click()
    expect(page.get_by_text("Ready").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("100 % of the requests")).to_be_visible()
    expect(page.get_by_text("ends the node")).to_be_visible()
    page.get_by_role("tab", name="Call it").click()
    expect(page.get_by_text(re.compile("/graphs/default/second-opinion/"))).to_be_visible()
    page.get_by_role("tab", name="Nodes").click()
    page.get_by_role("link", name="breast-cancer").first.click()
    expect(page.get_by_role("heading", name="breast-cancer")).to_be_visible()


def test_pods_are_listed_with_kubectl_s_words(page: Page) -> None:
    page.get_by_role("link", name="Pods").first.click()
    expect(page.get_by_text("Completed").first).to_be_visible()
    expect(page.get_by_text(re.compile("breast-cancer-predictor-"))).to_be_visible()


HELLO = """
from kfp import dsl

@dsl.component(base_image="python:3.11")
def measure(score: float, metrics: dsl.Output[dsl.Metrics]):
    metrics.log_metric("score", score)

@dsl.component(base_image="python:3.11")
def publish():
    print("published")

@dsl.pipeline(name="hello-dashboard")
def pipeline(score: float = 0.5):
    publish().after(measure(score=score)).set_env_variable("FAIRWAY_STEP_APPROVAL", "Publish it?")
"""


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory, demonstrated: Installation) -> Path:
    """A compiled pipeline that measures, and asks before it publishes."""
    folder = tmp_path_factory.mktemp("hello")
    (folder / "hello.py").write_text(HELLO)
    compiled = folder / "hello.yaml"
    kfp = str(Path(sys.executable).with_name("kfp"))
    command = [kfp, "dsl", "compile", "--py", str(folder / "hello.py"), "--output", str(compiled)]
    subprocess.run(command, check=True, capture_output=True)
    return compiled


def test_a_pipeline_is_uploaded_run_approved_and_run_again_to_compare(page: Page, hello: Path) -> None:
    page.get_by_role("link", name="Pipelines").first.click()
    page.set_input_files("input[type=file]", str(hello))
    page.get_by_role("link", name="Run", exact=True).click()
    page.get_by_label(re.compile("^score")).fill("0.25")
    page.get_by_label("Name").first.fill("first try")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Publish it?")).to_be_visible()
    page.get_by_label("Comment").fill("looks good")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("2 of 2 steps done")).to_be_visible()
    page.get_by_role("tab", name="Timeline").click()
    expect(page.get_by_role("listitem").filter(has_text="publish")).to_be_visible()
    page.get_by_role("link", name="Run again").click()
    page.get_by_label(re.compile("^score")).fill("0.75")
    page.get_by_label("Name").first.fill("second try")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".summary .state", has_text="Failed")).to_be_visible()
    page.get_by_role("link", name="Runs").first.click()
    for name in ("first try", "second try"):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("link", name="Compare 2").click()
    differing = page.locator("tr.differs", has_text="score")
    expect(differing.filter(has_text="0.25").first).to_be_visible()
    expect(differing.filter(has_text="0.75").first).to_be_visible()


def test_a_schedule_is_made_changed_and_seen_in_its_calendar(page: Page, hello: Path) -> None:
    page.get_by_role("link", name="Schedules").first.click()
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name").first.fill("every night")
    page.get_by_label("Cron expression").fill("30 2 * * *")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".slot.is-planned").first).to_be_visible()
    page.get_by_role("tab", name="Edit").click()
    page.get_by_label("Cron expression").fill("30 3 * * *")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".summary").get_by_text(re.compile("30 3"))).to_be_visible()
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator(".summary").get_by_text("off", exact=True)).to_be_visible()


def test_a_one_time_address_works_once(demonstrated: Installation) -> None:
    address = urlsplit(demonstrated.fairway("open").stdout.strip())
    answers = []
    for _ in range(2):
        connection = http.client.HTTPConnection(address.netloc)
        connection.request("GET", f"{address.path}?{address.query}")
        answer = connection.getresponse()
        answers.append((answer.status, answer.getheader("Set-Cookie")))
        connection.close()
    (first, cookie), (_, none) = answers
    assert first in (302, 303)
    assert cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert none is None
