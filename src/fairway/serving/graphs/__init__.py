"""Graphs: an InferenceGraph joins several services into one: in sequence, by weight, all together, or by a condition.

Flow: `kinds` says what is accepted; `checks` refuses what cannot run; `services` finds the addresses of what it names;
`render` makes the Deployment of the `router`, its Service and its routes, and `status` judges them; `controller` reads,
asks them, applies. The router runs in a pod, with the graph in its arguments, and knows nothing of the rest of the
house.
"""
