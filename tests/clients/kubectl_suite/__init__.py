"""The judge of the API by kubectl's own suite: `test/cmd` of a Kubernetes checkout, its groups run as they are.

A group is one function of upstream's shell files. `groups` finds them, `doorway` lets their kubectl in, `judging`
runs each through `group.sh`, `expectations` knows which must fail and why, `report` writes the table. Nothing of
upstream's is kept here: the checkout is named by FAIRWAY_KUBERNETES_CHECKOUT.
"""
