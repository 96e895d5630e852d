"""LLMInferenceService: a language model behind OpenAI's protocol, on one node.

`kinds` says what is accepted, `reading` merges the configurations that it refers to and refuses by name what needs more
than one node, `render` makes an InferenceService and a route of it, `controller` applies and says what became of them.
"""
