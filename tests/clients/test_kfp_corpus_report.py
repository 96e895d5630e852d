"""The table of the judge of pipelines: what it says, and that it leaves the rest of its page alone."""

from pathlib import Path

from tests.clients.kfp_corpus import report
from tests.clients.kfp_corpus.cases import Case, Verdict
from tests.clients.kfp_corpus.expectations import CANCELED, FAILED, SUCCEEDED, Expectation, beyond
from tests.clients.kfp_corpus.sections import Section

GOOD = Verdict(Case("good", Path(), Expectation()), SUCCEEDED, 0.4)
STOPPED = Verdict(Case("stopped", Path(), Expectation(CANCELED, "sleeps for long")), CANCELED, 2.0)
NEEDY = Verdict(Case("needy", Path(), beyond("a | b", "no b")), FAILED, 0.5)
THERE = Verdict(Case("there", Path(), beyond("a b", "no b")), SUCCEEDED, 0.5)
WRONG = Verdict(Case("wrong", Path(), Expectation()), FAILED, 3.0, "step 's' failed")


def test_each_verdict_is_a_row_and_is_counted(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    verdicts = [GOOD, STOPPED, NEEDY, THERE, WRONG]
    report.write(page, [(Section("All", "Everything.", [each.case for each in verdicts]), verdicts)], 7.0, 4)
    text = page.read_text()
    assert "Of 5: 3 did what they must, 1 need what is not here and said so, 1 did otherwise." in text
    assert "| `good` | succeeded | succeeded | 0.4 |  |" in text
    assert "| `stopped` | canceled | canceled | 2.0 | sleeps for long |" in text
    assert "| `needy` | needs a \\| b | failed | 0.5 |  |" in text
    assert "| `wrong` | succeeded | failed | 3.0 | **step 's' failed** |" in text


def test_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nBefore.\n\n## Pipelines\n\nOld.\n\n### Older\n\n## After\n\nKept.\n")
    for _ in range(2):
        report.write(page, [(Section("All", "Everything.", [GOOD.case]), [GOOD])], 7.0, 4)
        text = page.read_text()
        assert text.startswith("# Title\n\nBefore.\n\n## Pipelines\n\nUpstream's own")
        assert text.endswith("|\n\n## After\n\nKept.\n")
        assert "Old" not in text
