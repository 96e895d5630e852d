"""What may be written, beyond its shape: rules that look at other objects, at who asks, or ask somebody else.

A write becomes a `Request` and goes through the `Chain` of steps that `built_in` lists, once to be completed and once,
after its schema has been checked, to be judged. `writing` and `removal` come before and after; a step is a file here.
Nothing here knows HTTP.
"""
