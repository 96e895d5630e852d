"""Admission by programs of others: which of them a write concerns (`hooks`, `matching`), what they are told and what
their answer means (`review`), and the two steps of the chain that ask them (`mutating`, `validating`).

Without configurations it costs a look into an empty shelf of the store. How a program is reached is in
`cluster.api.webhooks`.
"""
