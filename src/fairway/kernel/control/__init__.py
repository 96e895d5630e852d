"""From watches to reconciles: a mirror of a kind, a queue of names, and the loop that reconciles them.

A reconcile is told a name, not an event. It may run twice. It reads, decides (`render`, pure), applies.
"""
