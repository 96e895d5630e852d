"""The scheduler: which pod gets which node, who has to make room, and what the others are told.

scheduler (the loop) asks the ledger (what is used, pod by pod), which asks obstacles (everything that keeps a pod from
a node: nodes, neighbours, claims). Where nothing fits, preemption says whose pods could go. evictions is a controller
of its own: a taint that pods do not tolerate drives them away.
"""
