"""Rollout: several versions of a predictor at once, each with a share of the traffic.

Flow: `variants` reads the list of canaries, `versions` keeps the version before while canaryTrafficPercent is below
100; both give an `Arrangement`: what is to run, what stays as it is, and where requests go. `controller` renders
it; `watching` measures a canary and takes it back where it breaks the bounds that were set. Only a version that is
ready gets traffic, and what goes is taken away after the gateway has heard of it.
"""
