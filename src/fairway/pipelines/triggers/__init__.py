"""Triggers: runs that an event starts: another run's end, an artifact that is new or changed, a call of a webhook.

`sources` is pure: which events of the records a trigger is about. `loop` follows them: `finding` keeps an event for
each, `places` looks at files and folders, `starts` starts the runs, under an id made of the trigger and the event, so
that no event counts twice. `api` is what clients call, and `calls` what holders of a webhook's token call.
"""
