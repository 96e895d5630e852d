"""The table of the judge of serving: what it says, and that it leaves the rest of the page alone."""

from pathlib import Path

from tests.clients.kserve_e2e import judging, report, tests
from tests.clients.kserve_e2e.judging import Verdict

EVERYTHING = [
    "predictor/test_sklearn.py::test_sklearn_kserve",
    "predictor/test_vllm.py::test_vllm_rerank",
    "llmisvc/test_llm.py::test_it",
]
VERDICTS = [
    Verdict(EVERYTHING[0], "passed", 12.4),
    Verdict("predictor/test_xgboost.py::test_a", "failed", 3.0, "assert [1] | [2]"),
]


def test_only_its_own_section_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Conformance\n\n## Before\n\nx\n")
    for _ in range(2):
        report.write(page, VERDICTS, EVERYTHING, 4)
        page.write_text(page.read_text() + ("" if "## After" in page.read_text() else "\n## After\n\ny\n"))
    text = page.read_text()
    assert text.count(report.HEADING) == text.count("## Before") == text.count("## After") == 1
    assert "Of 2 judged: 1 pass." in text
    assert "| `predictor/test_xgboost.py::test_a` | failed | 3 | assert [1] \\| [2] |" in text
    assert "| vLLM and models from the hub | 1 |" in text
    assert "1 more are of LLM services" in text


def test_a_test_is_judged_or_needs_something_or_is_of_something_else() -> None:
    assert [tests.judged(test) for test in EVERYTHING] == [True, False, False]
    assert [bool(tests.needs(test)) for test in EVERYTHING] == [False, True, False]


def test_what_pytest_says_of_each_test_is_read(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    file.write_text(
        '<testsuites><testsuite><testcase classname="test.e2e.predictor.test_sklearn" name="test_a" time="1.5"/>'
        '<testcase classname="predictor.test_sklearn" name="test_b[x]"><failure message="first&#10;second"/></testcase>'
        "</testsuite></testsuites>"
    )
    found = judging.read(file)
    assert found[judging.key("predictor/test_sklearn.py::test_a")].outcome == "passed"
    assert found[judging.key("predictor/test_sklearn.py::test_b[x]")].said == "first"
