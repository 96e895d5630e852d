"""Our model server and a real Triton are asked the same: what differs is meant to. Skipped where Triton is absent."""

from pathlib import Path

import pytest

from tests.clients.triton_oracle import judging, places, questions, report

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_same_questions_get_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    python = places.interpreter()
    if python is None:
        pytest.skip(f"no Triton: name an interpreter that has nvidia-pytriton in {places.PYTHON}")
    with places.running(python, tmp_path) as both:
        verdicts = judging.judge(questions.every(), both, python)
    wrong = [f"{one.question}: {one.ours} but Triton {one.tritons}" for one in verdicts if report.is_wrong(one)]
    assert not wrong, "\n".join(wrong)
    assert len(verdicts) > 100
