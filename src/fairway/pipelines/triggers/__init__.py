"""Triggers: runs that an event starts: another run's end, an artifact that is new or changed, a call of a webhook.

`sources` is pure: which events of the records a trigger is about. `loop` follows the records and starts a run for each
event, under an id made of the trigger and the event, so that no event counts twice. `api` is what clients call.
"""
