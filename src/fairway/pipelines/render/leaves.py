"""Leaves: steps, importers, volume claims. How one begins, is taken from the cache, starts, and is tried again."""

from __future__ import annotations

from fairway.pipelines import caching
from fairway.pipelines.ir.model import Importer, VolumeClaim
from fairway.pipelines.render import claims, gates, importing, outputs, pods, retrying, sensors
from fairway.pipelines.render.board import Board, failure_of
from fairway.pipelines.render.model import Hit, Instance, Known, Outcome, State, Type


def begin(board: Board, instance: Instance) -> None:
    """Its inputs are there: go on from the records, or anew."""
    known = board.known.get(instance.id)
    if known is None or not _take_up(board, instance, known):
        board.to_go.append(instance)


def go(board: Board, instance: Instance) -> None:
    """Ask a person where the step wants that, then the cache; then wait for a pod."""
    if gates.awaits_approval(board, instance):
        return
    if isinstance(instance.component.body, Importer):
        _import(board, instance, instance.component.body)
    else:
        _ask_or_start(board, instance)


def answered(board: Board, instance: Instance, hit: Hit | None) -> None:
    """What the cache says."""
    if hit is not None:
        instance.outputs = hit.outputs
        instance.cached_from = hit.task_id
        board.end(instance, State.SUCCEEDED if instance.type is Type.IMPORTER else State.CACHED)
    elif instance.type is Type.IMPORTER:
        board.end(instance, State.SUCCEEDED)
    else:
        board.to_start.append(instance)


def start(board: Board, instance: Instance) -> None:
    """The next attempt begins, once there are slots for it."""
    if instance.state.ended or gates.awaits_slots(board, instance):
        return
    claim = isinstance(instance.component.body, VolumeClaim)
    instance.attempts += 1
    instance.pod, instance.retry_at = "" if claim else pods.name(instance), None
    board.live[instance.id] = instance
    board.enter(instance, State.PENDING, "")
    (board.decisions.claims if claim else board.decisions.starts).append(instance)


def ended(board: Board, instance: Instance, outcome: Outcome, folder: str) -> None:
    """The newest attempt is over, in that task folder."""
    del board.live[instance.id]
    if sensors.sees_nothing(instance, outcome):
        sensors.look_again(board, instance)
    elif outcome.succeeded:
        if isinstance(instance.component.body, Importer):
            instance.outputs = importing.made(board.pipeline, board.run, instance)
        else:
            instance.outputs = outputs.of_step(instance, outcome, folder)
        board.end(instance, State.SUCCEEDED)
    elif board.stopping:
        board.end(instance, State.CANCELED, board.stopping)
    elif instance.stopped:
        board.end(instance, State.FAILED, instance.stopped, code=4)
    elif outcome.disrupted:
        instance.disruptions += 1
        instance.retry_at = board.now
        board.to_start.append(instance)
    else:
        retrying.failed(board, instance, outcome.message, outcome.code)


def _take_up(board: Board, instance: Instance, known: Known) -> bool:
    """Go on from the record. False where there is nothing to go on from."""
    instance.attempts, instance.disruptions, instance.looks = known.attempts, known.disruptions, known.looks
    instance.pod, instance.approved = known.pod, bool(known.attempts or (known.verdict and known.verdict.approved))
    instance.fingerprint, instance.cached_from = known.fingerprint, known.cached_from
    if known.state.ended:
        instance.state = known.state
        instance.outputs = importing.copied(board.pipeline, board.run, instance, known.outputs)
        instance.message, instance.code, instance.finished_at = known.message, known.code, known.finished_at
        if known.state is State.FAILED:
            instance.failure = failure_of(instance, known.message)
        board.to_close.append(instance)
        return True
    sensors.watch(board, instance)
    if known.retry_at is not None and known.retry_at > board.now:
        board.wait(instance, known.retry_at)
    elif known.retry_at is not None:
        board.to_start.append(instance)
    elif known.attempts:
        instance.state, instance.slots = known.state, known.slots
        board.live[instance.id] = instance
    else:
        return False
    return True


def _import(board: Board, instance: Instance, importer: Importer) -> None:
    made = importing.made(board.pipeline, board.run, instance)
    if importer.download:
        board.to_start.append(instance)
        return
    instance.outputs = made
    if importer.reimport:
        board.end(instance, State.SUCCEEDED)
        return
    instance.fingerprint = caching.of_import(importer, *importing.source(instance))
    _ask(board, instance)


def _ask_or_start(board: Board, instance: Instance) -> None:
    task, body = instance.task, instance.component.body
    never = sensors.is_sensor(instance) or (isinstance(body, VolumeClaim) and body.deletes)
    if task is None or not task.cached or never:
        board.to_start.append(instance)
        return
    if caching.by_content(board.run, instance) and _unread(board, instance):
        instance.state = State.ASKING
        board.decisions.reads.append(instance)
    else:
        look_up(board, instance)


def look_up(board: Board, instance: Instance) -> None:
    """All that counts for the cache is known."""
    task, body = instance.task, instance.component.body
    assert task is not None
    if isinstance(body, VolumeClaim):
        instance.fingerprint = caching.of_claim(instance.component, instance.inputs, claims.name(instance))
    else:
        mounted = pods.claims(board.pipeline, board.run, instance)
        contents = _contents(board, instance) if caching.by_content(board.run, instance) else None
        instance.fingerprint = caching.of_step(instance.component, task, instance.inputs, mounted, contents)
    if board.run.overrides and board.run.overrides.names(instance.path):
        board.to_start.append(instance)  # whoever names a step wants it to run
    else:
        _ask(board, instance)


def _contents(board: Board, instance: Instance) -> dict[str, str]:
    """The digests of the input artifacts, as far as they are known."""
    found = {item.id: item.digest or board.digests.get(item.id, "") for item in instance.inputs.given()}
    return {id_: digest for id_, digest in found.items() if digest}


def _unread(board: Board, instance: Instance) -> bool:
    return len(_contents(board, instance)) < len({item.id for item in instance.inputs.given()})


def _ask(board: Board, instance: Instance) -> None:
    instance.state = State.ASKING
    board.decisions.asks.append(instance)
