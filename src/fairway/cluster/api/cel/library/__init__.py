"""The functions of CEL: the language's own, its extensions that Kubernetes turns on, and Kubernetes' libraries.

Each module gives a list of overloads: a signature, what computes it, and what it costs. `table` puts them together.
"""
