"""Who may do what: RBAC, and the one rule of the house.

`attempts` says what somebody wants to do and how a refusal reads; `rules` what a role's rule allows; `grants` finds the
rules of somebody from the roles and bindings in the store; `own_namespace` is the rule that workloads stand on.
`bootstrap` writes the roles that are always there (`bootstrap_roles`, `aggregated_roles`), `escalation` keeps people
from giving what they have not, `impersonation` lets those who may act as others. Who somebody is comes before all of
this (`authentication`).
"""
