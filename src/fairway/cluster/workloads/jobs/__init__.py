"""Jobs: pods that run to completion, counted so that none is lost and none counts twice.

controller (reads, applies) asks render (what to do next), which asks counting (what has ended), outcome (is it
over, and how), policies (what a pod's end means) and replicas (which pods go and which come).
"""
