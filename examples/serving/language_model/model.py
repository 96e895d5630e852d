class Echo:
    """A language model is a class with generate, chat, or both; with `yield` its answer is streamed."""

    def chat(self, messages, temperature=1.0):
        for word in f"You said: {messages[-1]['content']}".split():
            yield word + " "

    def generate(self, prompt, max_tokens=16):
        return prompt[::-1]
