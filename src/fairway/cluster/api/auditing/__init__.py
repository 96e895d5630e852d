"""The audit log: who wrote what and who was refused, in upstream's form, without bodies and without secrets.

The faces of the API tell what came and how it was answered (`visits`); `events` makes of it an audit.k8s.io/v1 Event at
the level Metadata; `log` puts it into files of bounded size, before the answer is given.
"""
