"""Rules in schemas (`x-kubernetes-validations`): what a definition's author asks of objects, in CEL.

`compiling` makes of a schema the places that have rules; `definitions` says what is wrong with rules when a definition
is written; `evaluating` holds an object to them, beside its predecessor, within a budget; `ratcheting` lets what was
wrong before, and did not change, pass. The engine is in `cel`, the checks of the schema itself in `kernel.objects`.
"""
