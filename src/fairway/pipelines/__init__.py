"""Pipelines: graphs of steps, as the Kubeflow Pipelines SDK compiles them. This file imports nothing.

The flow of a run: `api` checks the pipeline (`ir`), writes the run's record and creates a `Run` object. The
`controller` is told of the Run and of its pods, lets `render` decide, writes the decision to the records and
starts a pod for each step. In the pod, `inpod` reads the step's task folder and leaves the outcome there.

Kinds: Run (pipelines.fairway.dev/v1), thin: everything else of a run is in `tables`.
"""
