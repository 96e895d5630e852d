"""Large bodies of numbers are read by another way, which nobody may be able to tell from the first."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fairway.serving.inpod import numerals, tensors, v1
from fairway.serving.inpod.messages import Refusal, decode
from fairway.serving.inpod.model import Signature

pytest.importorskip("simdjson", reason="without pysimdjson there is one way only")

_PLAIN = Signature("sklearn")
_ODD = ("-0", "-0.0", "1e5", "1E-400", "1e400", "2E3", "9007199254740993", "9223372036854775807", "9223372036854775808")
_ODDER = (
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "0.1000000000000000055511151231257827",
)
_NONE = ("null", "true", '"1"', '"]"', "[]", "[1]", "{}", '{"a":1}', "NaN", "01", "", '"\\u0031"')


def _lists(chance: random.Random) -> str:
    """Mostly a rectangle of numbers of one kind; some with something in it that does not belong there."""
    kinds: tuple[Callable[[], str], ...] = (
        lambda: str(chance.randint(-99, 99)),
        lambda: repr(chance.uniform(-1, 1) * 10.0 ** chance.randint(-300, 300)),
        lambda: str(chance.randint(-(2**65), 2**65)),
        lambda: chance.choice(_ODD),
        lambda: chance.choice(_NONE),
    )
    chosen = chance.choices(kinds, (9, 9, 1, 3, 1), k=chance.randint(1, 3))
    sizes = [chance.randint(1, 3) for _ in range(chance.randint(1, 3))]
    even, between = chance.random() < 0.8, chance.choice((",", ", ", " ,\n"))

    def level(depth: int) -> str:
        if depth == len(sizes):
            return chance.choice(chosen)()
        size = sizes[depth] if even else chance.randint(0, 3)
        return f"[{between.join(level(depth + 1) for _ in range(size))}]"

    return level(0)


_AROUND = (
    '{"instances": %s}',
    '{"inputs":%s}',
    '{"signature_name":"[x]","instances" : %s,"b":{"data":[1]}}',
    '{"instances":[[1]],"instances":%s}',
    '{"instances":%s,"instances":[[1]]}',
    '{"a":"\\"instances\\":","instances":%s}',
    '{"a":"\ue0000","instances":%s}',
    '{"a":{"instances":%s},"instances":[[1]]}',
    '{"instances":%s]}',
    '{"instances":%s',
    '\ufeff{"instances":%s}',
    '[{"instances":%s}]',
)


def test_rows_are_what_numpy_makes_of_them() -> None:
    for body in _bodies(_AROUND):
        quick = _outcome(lambda body=body: v1.inputs(numerals.rows(body), _PLAIN).tensors)
        assert quick == _outcome(lambda body=body: v1.inputs(decode(body), _PLAIN).tensors), body


_TENSORS = (
    '{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":%s}]}',
    '{"id":"data","inputs":[{"data": %s ,"name":"data"},{"data":[1,2],"parameters":{"a":"b"}}],"outputs":[]}',
    '{"inputs":[{"parameters":{"data":%s},"data":[3]}]}',
    '{"inputs":[{"data":"\ue0000","parameters":{"data":%s}}]}',
    '{"inputs":[{"data":%s,"data":[1]}]}',
    '{"inputs":[{"data":[1],"d\\u0061ta":%s}]}',
    '{"inputs":[{"data":%s}]]}',
)


@pytest.mark.parametrize("datatype", ["FP64", "INT64", "UINT64", "BOOL"])
def test_tensors_are_what_numpy_makes_of_them(datatype: str) -> None:
    def read(document: dict[str, Any]) -> dict[str, Any]:
        datas = [each["data"] for each in document["inputs"]]
        arrays = [tensors.from_json(data, datatype, [np.array(data, dtype=object).size], "x") for data in datas]
        rest = {**document, "inputs": [{**each, "data": 0} for each in document["inputs"]]}
        return {"rest": rest, **{str(number): array for number, array in enumerate(arrays)}}

    for body in _bodies(_TENSORS):
        quick = _outcome(lambda body=body: read(numerals.tensors(body)))
        assert quick == _outcome(lambda body=body: read(decode(body))), body


@pytest.mark.parametrize("table", [[1.5] * 1000, [[0.1, 2, -3e-7]] * 500, [[[1, 2]] * 28] * 28, [[7]] * 1000])
def test_plain_numbers_take_the_quick_way(table: list[Any]) -> None:
    read = numerals.rows(json.dumps({"instances": table}).encode())["instances"]
    assert isinstance(read, np.ndarray)
    assert read.flags.writeable
    tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": table}
    two = numerals.tensors(json.dumps({"inputs": [tensor, tensor | {"data": [1] * 1000}]}).encode())["inputs"]
    assert all(isinstance(each["data"], np.ndarray) for each in two)


def _bodies(around: tuple[str, ...]) -> Iterator[bytes]:
    chance = random.Random(5)
    for _ in range(500):
        yield (chance.choice(around) % _lists(chance)).encode() + b" " * numerals.WORTH


def _outcome(read: Callable[[], Any]) -> Any:
    try:
        found = read()
    except Refusal as refusal:
        return refusal.status, str(refusal)
    except (ValueError, TypeError, AttributeError, KeyError) as broken:
        return type(broken)
    return {
        name: (value.dtype, value.shape, value.tolist() if value.dtype == object else value.tobytes())
        if isinstance(value, np.ndarray)
        else value
        for name, value in found.items()
    }
