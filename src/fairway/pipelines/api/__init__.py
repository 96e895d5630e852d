"""The KFP v2beta1 REST API, as `kfp.Client` and a dashboard call it. Handlers over the records.

`routes` lists all of it. A request is read by `messages` (unknown fields are refused), lists go through `listing`
(pages, order, filters), errors leave through `answers`. `experiments`, `pipelines`, `versions`, `uploads`, `runs`,
`tasks`, `artifacts` and `logs` hold the handlers; `starting` keeps a Run object for every run that is not over.
One tenant: a namespace in a request is taken where the cluster has it, and is "default" otherwise.
"""
