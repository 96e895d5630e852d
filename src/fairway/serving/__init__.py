"""Serving: an InferenceService names a model, and becomes an API that answers over V1 and V2, REST and gRPC.

Flow: `kinds` says what is accepted; `spec` defaults and checks one object, and refuses by name what is not supported;
`runtimes` chooses its model server, `pods` makes the template of each of its parts, and `reading` gives them as
components; `render` makes Deployments, Services and HTTPRoutes of those, and `status` says what became of them;
`controller` reads, asks, applies. The pods run `inpod`, our own model server, which imports nothing of the rest of
the house. `sdk` is what a scientist calls.
"""
