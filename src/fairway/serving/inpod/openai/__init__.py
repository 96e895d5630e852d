"""OpenAI's endpoints for language models: completions, chat, embeddings and reranking, with streams.

`endpoints` is what the server hands their paths to. A body is read by `asking`, generated from by an engine (`engines`
says what that is: `causal` runs a Hugging Face model, `own_code` a user's class, `encoders` a model that gives vectors
or scores), cut at its stop words by `stopping`, and told by `telling`. A client that hangs up ends its generation.

`load` is called by `programs`. Nothing heavy is imported before a model is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def load(name: str, location: Path, options: Mapping[str, str]) -> Any:
    """A Hugging Face folder whose model generates, or gives vectors, as what Speaks. Raises CannotLoad."""
    return importlib.import_module(f"{__name__}.loading").load(name, location, options)
