"""What a user's function is called with, told by its parameters and their types.

One parameter takes the whole request in the form that its type says: an array, a frame, rows as a list, or the JSON
object itself. Scalars, and objects that are made from a row, are asked for row by row. Several array parameters are
columns by name. Without a type: numbers become an array, rows that are objects a frame, everything else a list.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import Array, Message, Tensor

EXTRAS = ("headers", "parameters")
_SCALARS: dict[Any, str] = {float: "FP64", int: "INT64", str: "BYTES", bool: "BOOL"}
_BODIES = ("body", "payload", "request", "message")
_MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Way:
    """How one function is called. `form` is array, frame, rows, body, anything, columns or rowwise."""

    form: str
    names: tuple[str, ...] = ()
    types: tuple[Any, ...] = ()
    optional: frozenset[str] = frozenset()
    extras: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What can be said of the inputs before anyone calls."""
        if self.form == "columns":
            return tuple(Tensor(name, "FP64", (-1,)) for name in self.names)
        if self.form == "rowwise" and all(kind in _SCALARS for kind in self.types):
            pairs = zip(self.names, self.types, strict=True)
            return tuple(Tensor(name, _SCALARS[kind], (-1,)) for name, kind in pairs)
        return ()


@dataclass(frozen=True)
class Call:
    """`each`: the positional and named arguments of each row; without rows there is one call."""

    arguments: tuple[tuple[tuple[Any, ...], dict[str, Any]], ...]
    by_row: bool = False


def way(function: Callable[..., Any]) -> Way:
    """Read the parameters of a function, or of a method that is bound."""
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    hints = _hints(function)
    extras = tuple(parameter.name for parameter in parameters if parameter.name in EXTRAS)
    asked = [parameter for parameter in parameters if parameter.name not in EXTRAS]
    names = tuple(parameter.name for parameter in asked)
    types = tuple(hints.get(parameter.name, _MISSING) for parameter in asked)
    optional = frozenset(parameter.name for parameter in asked if parameter.default is not _MISSING)
    required = [name for name in names if name not in optional]
    if len(names) == 1 or (len(required) == 1 and types[names.index(required[0])] not in _SCALARS):
        only = required[0] if required else names[0]
        return _of_one(only, types[names.index(only)], optional, extras)
    if names and all(kind in _SCALARS or kind is _MISSING for kind in types):
        return Way("rowwise", names, tuple(str if kind is _MISSING else kind for kind in types), optional, extras)
    return Way("columns", names, types, optional, extras)


def _of_one(name: str, kind: Any, optional: frozenset[str], extras: tuple[str, ...]) -> Way:
    origin = typing.get_origin(kind) or kind
    form = "anything"
    if origin in (dict, Mapping) or (kind is _MISSING and name in _BODIES):
        form = "body"
    elif origin is np.ndarray:
        form = "array"
    elif origin in (list, tuple) or getattr(origin, "__name__", "") in ("Sequence", "Iterable"):
        form = "rows"
    elif getattr(kind, "__name__", "") == "DataFrame":
        form = "frame"
    elif kind in _SCALARS or dataclasses.is_dataclass(kind) or hasattr(kind, "model_validate"):
        form = "rowwise"
    return Way(form, (name,), (kind,), optional & {name}, extras)


def call(way: Way, message: Message) -> Call:
    """The arguments for a request. Raises Refusal 400 where it does not have what the function asks for."""
    extras = {name: dict(_extra(name, message)) for name in way.extras}
    if way.form == "rowwise":
        rows = _rows(message)
        return Call(tuple(((), _row(way, row, number) | extras) for number, row in enumerate(rows)), by_row=True)
    if way.form == "columns":
        return Call((((), _columns(way, message) | extras),))
    return Call((((_whole(way, message),), extras),))


def _extra(name: str, message: Message) -> Mapping[str, Any]:
    if name == "headers":
        return message.headers
    if message.inputs is not None:
        return message.inputs.parameters
    found = message.body.get("parameters") if isinstance(message.body, dict) else None
    return found if isinstance(found, dict) else {}


def _whole(way: Way, message: Message) -> Any:
    (kind,) = way.types
    if way.form == "body":
        return message.body if message.inputs is None else dict(message.inputs.tensors)
    if way.form == "anything" and message.inputs is None and not isinstance(message.body, dict):
        return message.body
    if way.form == "rows":
        (item,) = typing.get_args(kind)[:1] or (_MISSING,)
        return [_made(item, row, number) for number, row in enumerate(_rows(message))]
    if way.form == "frame":
        return _frame(message)
    if way.form == "array":
        return _array(message)
    return _anything(message)


def _anything(message: Message) -> Any:
    if message.inputs is not None:
        if message.inputs.named:
            return _frame(message)
        (array,) = message.inputs.tensors.values()
        return array.tolist() if array.dtype == object else array
    rows = _rows(message)
    if rows and isinstance(rows[0], dict):
        return _frame(message)
    try:
        array = np.array(rows)
    except ValueError:
        return rows
    return array if array.dtype.kind in "biuf" else rows


def _rows(message: Message) -> list[Any]:
    """The rows of V1, or those that tensors of V2 make: objects where the tensors are columns."""
    if message.inputs is not None:
        columns = {name: array.tolist() for name, array in message.inputs.tensors.items()}
        if len(columns) == 1 and not message.inputs.named:
            return list(next(iter(columns.values())))
        if len({len(column) for column in columns.values()}) > 1:
            raise Refusal(400, "The input tensors have different lengths; as columns of one table they must agree.")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not isinstance(message.body, dict):
        raise Refusal(415, "The body must be JSON.")
    rows = message.body.get("instances", message.body.get("inputs"))
    if not isinstance(rows, list):
        raise Refusal(400, 'The body has no list of "instances"; send {"instances": [...]}.')
    return rows


def _array(message: Message) -> Array:
    if message.inputs is not None:
        if len(message.inputs.tensors) == 1:
            return next(iter(message.inputs.tensors.values()))
        return np.stack([array.reshape(-1) for array in message.inputs.tensors.values()], axis=1)
    rows = _rows(message)
    if rows and isinstance(rows[0], dict):
        rows = [list(row.values()) for row in rows]
    try:
        return np.array(rows)
    except ValueError:
        raise Refusal(400, '"instances" has rows of different lengths.') from None


def _frame(message: Message) -> Any:
    try:
        import pandas  # noqa: PLC0415  optional
    except ImportError:
        raise Refusal(501, "Rows with named columns need pandas, which is not installed in this server.") from None
    if message.inputs is not None:
        columns = {name: array.reshape(-1) for name, array in message.inputs.tensors.items() if array.ndim < 2}
        return pandas.DataFrame(columns) if columns else pandas.DataFrame(_array(message))
    return pandas.DataFrame(_rows(message))


def _columns(way: Way, message: Message) -> dict[str, Any]:
    if message.inputs is not None:
        columns: dict[str, Any] = dict(message.inputs.tensors)
    else:
        rows = _rows(message)
        if not all(isinstance(row, dict) for row in rows):
            raise Refusal(400, f"Each row must be an object with {', '.join(way.names)}.")
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ()) if name in way.names}
    _check(way, columns, "The request")
    return {
        name: _column(kind, columns[name]) for name, kind in zip(way.names, way.types, strict=True) if name in columns
    }


def _column(kind: Any, values: Any) -> Any:
    origin = typing.get_origin(kind) or kind
    if origin is list:
        return values.tolist() if isinstance(values, np.ndarray) else values
    return np.asarray(values)


def _row(way: Way, row: Any, number: int) -> dict[str, Any]:
    """The arguments of one row. A function of one argument takes the row itself, or the object that names it."""
    if len(way.names) == 1 and not (isinstance(row, dict) and way.types[0] in _SCALARS):
        return {way.names[0]: _made(way.types[0], row, number)}
    if isinstance(row, list) and len(row) == len(way.names):
        row = dict(zip(way.names, row, strict=True))
    if not isinstance(row, dict):
        raise Refusal(400, f"instances[{number}] must be an object with {', '.join(way.names)}.")
    _check(way, row, f"instances[{number}]")
    kinds = dict(zip(way.names, way.types, strict=True))
    return {name: _made(kinds[name], value, number, name) for name, value in row.items()}


def _check(way: Way, given: Mapping[str, Any], where: str) -> None:
    if missing := [name for name in way.names if name not in given and name not in way.optional]:
        raise Refusal(400, f"{where} has no {', '.join(missing)}.")
    if unknown := [str(name) for name in given if name not in way.names]:
        raise Refusal(400, f"{where} has {', '.join(unknown)}, which is not asked for; {', '.join(way.names)} is.")


def _made(kind: Any, value: Any, number: int, name: str = "") -> Any:
    """A value as its type. Raises Refusal."""
    where = f"instances[{number}]" + (f".{name}" if name else "")
    if isinstance(value, bytes) and kind is str:
        value = value.decode(errors="replace")
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in _SCALARS:
        if type(value) is not kind:
            raise Refusal(400, f"{where} must be {_said(kind)}, not {value!r}.")
        return value
    if hasattr(kind, "model_validate"):
        try:
            return kind.model_validate(value)
        except ValueError as wrong:
            raise Refusal(400, f"{where}: {wrong}") from None
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        try:
            return kind(**value)
        except TypeError as wrong:
            raise Refusal(400, f"{where}: {wrong}") from None
    return value


def _said(kind: Any) -> str:
    return {float: "a number", int: "a whole number", str: "text", bool: "true or false"}[kind]


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that exists for type checkers only
        return {}
