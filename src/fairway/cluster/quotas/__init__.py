"""How much a namespace uses of what its ResourceQuotas allow. Pure: no clock, no store, no client.

    usage.py     what one object uses, in the words of quotas
    scopes.py    which pods a quota is for
    rules.py     one quota, read once
    account.py   the sum over a namespace, kept up to date one object at a time

Admission (cluster.api) keeps an account to refuse what would be too much; a controller (cluster.workloads) keeps one
to tell it in the quotas' status. Both count by the same rules, and neither asks the other.
"""
