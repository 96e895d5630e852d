"""What goes wrong with an expression: it does not compile, it has no value, or it costs too much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    offset: int
    message: str


class CompileError(Exception):
    """The expression is not one. The text is upstream's: each issue with its line and a mark below the place."""

    def __init__(self, source: str, issues: list[Issue]) -> None:
        self.issues = issues
        super().__init__("\n".join(_shown(source, issue) for issue in issues))


class EvaluationError(Exception):
    """The expression has no value for these variables."""

    cost: int = 0
    """What it cost to find out."""


class NoSuchOverload(EvaluationError):
    def __init__(self) -> None:
        super().__init__("no such overload")


class OutOfBudget(Exception):
    """The expression costs more than it may. No operator turns this into a value."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _shown(source: str, issue: Issue) -> str:
    before = source[: issue.offset]
    line = before.count("\n") + 1
    column = issue.offset - (before.rfind("\n") + 1)
    text = (source.split("\n")[line - 1] if source else "").replace("\t", " ")
    return f"ERROR: <input>:{line}:{column + 1}: {issue.message}\n | {text}\n | {'.' * column}^"
