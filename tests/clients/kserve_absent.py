"""Stand-ins for what upstream's test modules import and Fairway's kserve does not have; a plugin of pytest.

Only the imports at the top of those modules are served. A test that uses one of them fails, and is counted so.
"""

import sys
from types import ModuleType
from typing import Any


def _absent(name: str, *attributes: str) -> None:
    module = ModuleType(name)
    module.__path__ = []
    for attribute in attributes:
        setattr(module, attribute, type(attribute, (), {}))
    sys.modules[name] = module


def _deployment(kind: Any) -> Any:
    return kind


_absent("ray")
_absent("ray.serve")
sys.modules["ray"].serve = sys.modules["ray.serve"]  # type: ignore[attr-defined]
sys.modules["ray.serve"].deployment = _deployment  # type: ignore[attr-defined]
_absent("kserve.ray", "RayModel")
_absent("kserve.protocol.rest.multiprocess")
_absent("kserve.protocol.rest.multiprocess.server", "RESTServerMultiProcess")
_absent("kserve.protocol.rest.openai", "CompletionRequest", "OpenAIGenerativeModel")
_absent("kserve.protocol.rest.openai.types")
_absent(
    "kserve.protocol.rest.openai.types.openapi",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "CreateCompletionResponse",
)
