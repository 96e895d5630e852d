"""Volume claims: steps that need no pod, carried out by the engine itself.

Each may be begun twice, by an engine that died in between and by the next: a claim that this very step made is found
again, and one that is gone already was deleted.
"""

from __future__ import annotations

from contextlib import suppress

from fairway.kernel.objects import errors
from fairway.kernel.objects.kinds import PERSISTENT_VOLUME_CLAIM
from fairway.pipelines.engine.play import Play
from fairway.pipelines.ir.model import VolumeClaim
from fairway.pipelines.render import claims, workspaces
from fairway.pipelines.render.inputs import InputError
from fairway.pipelines.render.model import Hit, Instance, Outcome

_REFUSALS = (errors.Invalid, errors.BadRequest, errors.Forbidden)


async def carry_out(play: Play, instance: Instance, *, again: bool = False) -> None:
    """`again`: another engine may have begun it."""
    assert isinstance(instance.component.body, VolumeClaim)
    try:
        if instance.component.body.deletes:
            outcome = await _delete(play, instance, again)
        else:
            outcome = await _create(play, instance)
    except InputError as wrong:
        outcome = Outcome(False, message=str(wrong), code=3)
    except _REFUSALS as refused:
        outcome = Outcome(False, message=f"the volume claim was refused: {refused}", code=1)
    play.graph.ended(instance.id, instance.attempts - 1, outcome, "", play.now)


async def there(play: Play, instance: Instance, hit: Hit) -> bool:
    """Whether the claim that the cache speaks of is still there; of other steps, true."""
    if not isinstance(instance.component.body, VolumeClaim):
        return True
    name = str(hit.outputs.parameters.get("name") or "")
    return bool(name) and await play.world.client.find(PERSISTENT_VOLUME_CLAIM, name, play.namespace) is not None


async def ensure_workspace(play: Play) -> None:
    """The claim of the run's workspace, before a pod that mounts it or speaks of it."""
    with suppress(errors.AlreadyExists):
        await play.world.client.create(PERSISTENT_VOLUME_CLAIM, workspaces.render(play.graph.pipeline, play.graph.run))


async def _create(play: Play, instance: Instance) -> Outcome:
    claim = claims.render(play.graph.run, instance)
    name = claims.name(instance)
    try:
        await play.world.client.create(PERSISTENT_VOLUME_CLAIM, claim)
    except errors.AlreadyExists:
        found = await play.world.client.find(PERSISTENT_VOLUME_CLAIM, name, play.namespace)
        if found is not None and not claims.made_by(found, instance):
            message = f"there is a volume claim {name!r} already: mount it by its name, or make one with another name"
            return Outcome(False, message=message, code=6)
    return Outcome(True, {"name": name})


async def _delete(play: Play, instance: Instance, again: bool) -> Outcome:
    name = claims.name(instance)
    deleted = await play.world.client.delete(PERSISTENT_VOLUME_CLAIM, name, play.namespace)
    if not deleted and not again:
        return Outcome(False, message=f"there is no volume claim {name!r} to delete", code=5)
    return Outcome(True)
