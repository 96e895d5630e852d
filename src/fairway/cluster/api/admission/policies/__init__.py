"""Admission by policies: objects in the cluster that say in CEL what may be written, and what is changed on the way.

`compiling` makes of a policy what can be run, `book` keeps all of them with their bindings, `parameters` finds what a
binding configures a policy with. `evaluating` runs one policy on one request; the steps of the chain are `validating`
and `mutating`, and `patches` is what a mutation does to an object. What is wrong with a policy is told when it is
written, by `cluster.api.policy_documents`.
"""
