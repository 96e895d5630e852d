"""The same pipelines in other tools of the field, each in a virtual environment of its own.

`python -m bench.peers setup` makes the environments in a cache folder; nothing of them is a dependency of Fairway. A
program here is the least that its tool's documentation asks for, in the fastest local mode that keeps what it has
done; it prints how long a run took in a process whose imports were done.
"""
