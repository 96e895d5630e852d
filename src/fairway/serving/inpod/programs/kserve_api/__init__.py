"""KServe's Python interface, for programs that were written against it: the same names, on our model server.

`site/kserve` makes `import kserve` lead here (`names` says which module is which) where the package itself is not
installed. What is not here says so when it is asked for. Nothing of ours imports this room but `programs.kserve`.
"""
