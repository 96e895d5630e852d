"""Schedules: KFP's recurring runs. A loop starts a run for each slot of a cron expression or of an interval.

`cron` and `slots` are pure: which moments a schedule has, and which of them are due. `loop` starts their runs, each
under an id made of the schedule and the slot, so that two servers never start one slot twice. `api` is what clients
call.
"""
