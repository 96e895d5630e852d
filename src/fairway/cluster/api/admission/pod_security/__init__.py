"""PodSecurity: upstream's three levels for pods, chosen by the labels of their namespace.

    step.py        the step of admission: who is judged, by which level, and what is said
    policy.py      the labels of a namespace, read
    standards.py   the levels as a table of checks, each with the version from which it holds
    baseline.py    the checks that keep a pod off its machine
    restricted.py  the checks that harden it further
    subject.py     a pod, or the template of one, as the checks see it, and the words they share

Everything but the step is pure. The texts are upstream's, as people search for them.
"""
