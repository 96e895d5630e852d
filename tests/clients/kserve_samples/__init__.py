"""The judge of samples: every object of KServe's own samples and runtimes is given to the API, and judged.

`samples` finds them, `expectations` says which of them must be refused and in what words, `judging` applies them to a
cluster with the real controllers and reads what became of them. `python -m tests.clients.kserve_samples` runs it.
"""
