"""What a step waits for that is ready otherwise: the approval of a person, and slots of its pool.

Both are asked for by decisions, and answered from outside. A person is asked before the cache is, so that an approval
stands before everything that follows it, whatever was cached.
"""

from __future__ import annotations

from fairway.pipelines.ir.model import MISSING
from fairway.pipelines.placeholders import Scene
from fairway.pipelines.render import folders
from fairway.pipelines.render.board import Board
from fairway.pipelines.render.model import Instance, State, Verdict


def awaits_approval(board: Board, instance: Instance) -> bool:
    """Ask a person, unless one has said something already. Raises UnknownPlaceholder for a question with a mistake."""
    if not instance.options.approval or instance.approved:
        return False
    verdict = board.verdicts.get(instance.id)
    if verdict is None:
        board.questions[instance.id] = instance
        board.hold(instance, f"waits for approval: {question(instance)}")
        board.decisions.questions.append(instance)
    elif not verdict.approved:
        _rejected(board, instance, verdict)
    instance.approved = verdict is not None and verdict.approved
    return not instance.approved


def question(instance: Instance) -> str:
    """What the person is asked. It may speak of the step's inputs."""
    declared = instance.component.input_parameters
    defaults = {key: entry.default for key, entry in declared.items() if entry.default is not MISSING}
    return Scene(folders.executor_input(instance, ""), defaults=defaults).filled(instance.options.approval)


def decided(board: Board, task_id: str, verdict: Verdict) -> None:
    """A person has spoken. A step that has not come to its question yet finds the answer when it does."""
    board.verdicts[task_id] = verdict
    instance = board.questions.pop(task_id, None)
    if instance is None:
        return
    if verdict.approved:
        board.hold(instance, f"approved by {verdict.by}")
        board.to_go.append(instance)
    else:
        _rejected(board, instance, verdict)


def awaits_slots(board: Board, instance: Instance) -> bool:
    """Ask for slots of the step's pool, unless it has them."""
    if not instance.options.pool or instance.slots:
        return False
    board.wants[instance.id] = instance
    board.decisions.wants.append(instance)
    return True


def granted(board: Board, instance: Instance) -> None:
    """The slots are the step's: it is the next to start."""
    del board.wants[instance.id]
    instance.slots = instance.options.slots
    board.to_start.appendleft(instance)


def stand_back(board: Board) -> None:
    """The run pauses: what has not started leaves its slots, and its place among those who wait, to other runs."""
    for instance in (*board.wants.values(), *(each for each in board.to_start if each.slots)):
        if not instance.slots:
            board.to_start.append(instance)
        board.give_back(instance)


def _rejected(board: Board, instance: Instance, verdict: Verdict) -> None:
    said = f": {verdict.comment}" if verdict.comment else ""
    board.end(instance, State.FAILED, f"rejected by {verdict.by}{said}", code=7)
