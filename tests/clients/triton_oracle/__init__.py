"""The oracle of V2: a real Triton and our model server are asked the same, and their answers are compared.

`models` makes the same models for both, `places` starts both, `questions` are what is asked over REST, byte for byte,
and `session` what Triton's own client asks over REST and gRPC; `judging` compares, `differences` says where ours
differs on purpose, and `report` writes the table.
"""
