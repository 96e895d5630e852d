"""How the tests here ask a model: with arrays, as the protocols hand them over, or with rows of V1."""

from typing import Any

import numpy as np
import orjson

from fairway.serving.inpod import v1
from fairway.serving.inpod.messages import encode
from fairway.serving.inpod.model import Inputs, Model

TWO_FLOWERS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
"""KServe's own example rows; both are of class 1."""


def arrays(model: Model, **given: Any) -> dict[str, np.ndarray[Any, Any]]:
    named = len(given) > 1
    return dict(model.predict(Inputs({name: np.asarray(array) for name, array in given.items()}, named)))


def rows(model: Model, instances: Any) -> Any:
    """What V1 answers to these rows."""
    sent = orjson.loads(orjson.dumps({"instances": instances}))
    answer = model.predict(v1.inputs(sent, model.signature))
    return orjson.loads(encode(v1.predictions(answer, objects=model.signature.objects)))
