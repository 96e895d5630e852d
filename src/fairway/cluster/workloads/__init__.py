"""The built-in controllers: what makes a stored Deployment, Job or Service do something.

namespaces, garbage (children go with their owners), jobs, jobset, replicasets, deployments, endpoints (Services),
volumes, scheduling (which pod gets which node), quotas (what is used of them), budgets (how many pods may be missing).
Each is a client like any other: it reads mirrors, decides in pure functions, writes by the API. `build.build` gives
them all. Running pods is the node agent's part, carrying traffic the network's.
"""
