"""The judge of pipelines: upstream's own pipelines, run by the unmodified `kfp.Client` against a real platform.

    sources -> cases, each with an expectation -> judging, several at a time -> verdicts -> docs/conformance.md

Nothing of upstream is in the project: the pipelines are read in place, where `places` says. What each one must do is
said in `expectations`, in words of our own.
"""
