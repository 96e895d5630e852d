"""Serving: an InferenceService names a model, and becomes an API that answers over V1 and V2 REST.

Flow: `kinds` says what is accepted; `spec` reads one object and refuses by name what is not supported;
`render` turns it into a Deployment, a Service and two HTTPRoutes, and what was seen of them into a status;
`controller` reads, asks `render`, applies. The pods run `inpod`, our own model server, which imports nothing
of the rest of the house. `sdk` is what a scientist calls.
"""
