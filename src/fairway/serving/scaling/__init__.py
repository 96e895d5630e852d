"""Scaling: how many servers a component runs, from none to many, and who holds its requests while there is none.

Flow: `asked` reads what Knative's annotations say; `stats` scrapes the pods and asks the `activator`; `windows`
average what was seen; `decider` says how many are wanted, with Knative's rules; `zero` says whether and when the last
one may go; `loop` does it, and puts the activator before the service or takes it away. The activator holds requests
until a pod answers. The arithmetic (windows, peaks, decider, targets, zero) is pure.
"""
