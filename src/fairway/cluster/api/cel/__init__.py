"""CEL, the Common Expression Language, as Kubernetes speaks it.

    text -> tokens -> parser (syntax) -> checker (types) -> building -> Program -> value, within a budget

`program.compile_expression` is the whole interface: it takes an expression and the types of its variables, and gives a
`Program` or raises `CompileError` in upstream's words. A program is evaluated with values and a budget of cost;
it raises `EvaluationError` where the expression has no value, and `OutOfBudget` where it costs too much, so that no
expression, however it was meant, holds the server. `schema_types` says what an OpenAPI schema is in CEL; `library`
has the functions. Nothing here knows the store, the network or the clock.
"""
