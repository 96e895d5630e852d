"""The placeholders of KFP: `{{$.inputs.parameters['x']}}` and its kin, IfPresent and Concat.

Pure and standard library only: the engine uses it for constants and images, `inpod` for commands and arguments.
Upstream evaluates only a part of these; we evaluate all that the SDK can emit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.pipelines.ir.values import read_json, text

_PLACEHOLDER = re.compile(r"\{\{\$(?P<path>(?:\.[^{}]*)?)\}\}")
_OURS = (".inputs.", ".outputs.", ".pipeline_", ".workspace_path", ".json_escape")
"""How placeholders of KFP begin. Others are texts of somebody else's templates, and stay as they are."""
_ESCAPED = re.compile(r"(?P<path>.*)\.json_escape\[(?P<times>\d)\]")
_KEY = r"\[(?:'(?P<{0}>[^']*)'|\"(?P<{0}2>[^\"]*)\")\]"
_INPUT_PARAMETER = re.compile(r"\.inputs\.parameters" + _KEY.format("key"))
_OUTPUT_FILE = re.compile(r"\.outputs\.parameters" + _KEY.format("key") + r"\.output_file")
_ARTIFACT = re.compile(
    r"\.(?P<side>inputs|outputs)\.artifacts" + _KEY.format("key") + r"(?:\.(?P<part>uri|path|metadata))?"
    r"(?:" + _KEY.format("field") + r")?"
)
LONGEST_ARGUMENT = (128 << 10) - 1
"""Bytes that Linux passes in one argument of a command."""
MOST_PUT_IN = 64 << 20
"""Characters that come in place of placeholders, in all that one step is given."""
_STRUCTURES = ('{"IfPresent"', '{"Concat"')


class UnknownPlaceholder(Exception):
    """The text names something that this step does not have."""


class TooMuch(UnknownPlaceholder):
    """A few words of a pipeline may ask for a large value any number of times."""


@dataclass(frozen=True)
class Scene:
    """What placeholders can refer to. `executor_input` is KFP's; `defaults` fill in for inputs left out of it;
    `job` holds the values of `{{$.pipeline_job_name}}` and the others that are the same for a whole run."""

    executor_input: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    job: Mapping[str, str] = field(default_factory=dict)
    copies_only: bool = False
    """In the whole input, an artifact that has a copy here is told of as if that were its address."""
    put_in: list[int] = field(default_factory=lambda: [0])
    """How many characters have come in place of placeholders so far, in its one item."""

    def elements(self, written: Sequence[str]) -> list[str]:
        """A command line with every placeholder replaced; IfPresent may give none or several elements."""
        return [part for element in written for part in self._element(element)]

    def filled(self, written: str) -> str:
        """One text with its placeholders replaced. A value that is put in is not looked at again."""
        return _PLACEHOLDER.sub(lambda match: self._put_in(match["path"]) if _ours(match) else match[0], written)

    def value(self, written: Any) -> Any:
        """Placeholders replaced at any depth. A text that is one placeholder becomes the value with its type."""
        if isinstance(written, str):
            whole = _PLACEHOLDER.fullmatch(written)
            return self._value(whole["path"]) if whole and _ours(whole) else self.filled(written)
        if isinstance(written, list):
            return [self.value(item) for item in written]
        if isinstance(written, Mapping):
            return {self.filled(key): self.value(item) for key, item in written.items()}
        return written

    def _put_in(self, path: str) -> str:
        found = text(self._value(path))
        self.put_in[0] += len(found)
        if self.put_in[0] > MOST_PUT_IN:
            raise TooMuch(f"its placeholders stand for more than {MOST_PUT_IN:,} characters together")
        return found

    def _element(self, element: str) -> list[str]:
        if element.lstrip().startswith(_STRUCTURES):
            try:
                node = read_json(element)
            except ValueError:
                return [self.filled(element)]  # text that only looks like a structure
            try:
                return self._structure(node)
            except (AttributeError, KeyError, TypeError) as wrong:
                raise UnknownPlaceholder(f"{element[:100]} is neither IfPresent nor Concat as KFP has them") from wrong
        return [self.filled(element)]

    def _structure(self, node: Any) -> list[str]:
        if isinstance(node, str):
            return self._element(node)
        if isinstance(node, list):
            return [part for item in node for part in self._structure(item)]
        if "Concat" in node:
            return ["".join(part for item in node["Concat"] for part in self._structure(item))]
        if "IfPresent" not in node:
            return [text(node)]
        branch = node["IfPresent"]
        return self._structure(branch.get("Then", []) if self._present(branch["InputName"]) else branch.get("Else", []))

    def _present(self, name: str) -> bool:
        """Parameters and artifacts; null counts as absent, a default as present."""
        inputs = self.executor_input.get("inputs", {})
        given = inputs.get("parameterValues", {}).get(name, self.defaults.get(name))
        return given is not None or name in inputs.get("artifacts", {})

    def _value(self, path: str) -> Any:
        if not path:
            return self._whole()
        if path in self.job:
            return self.job[path]
        if path in (".outputs.output_file", ".outputMetadataUri"):
            return self.executor_input["outputs"]["outputFile"]
        if (escaped := _ESCAPED.fullmatch(path)) and ".json_escape" not in escaped["path"]:
            return _escaped(text(self._value(escaped["path"])), int(escaped["times"]))
        if match := _INPUT_PARAMETER.fullmatch(path):
            return self._input_parameter(_named(match, "key"))
        if match := _OUTPUT_FILE.fullmatch(path):
            return self._found("outputs", "parameters", _named(match, "key"))["outputFile"]
        if match := _ARTIFACT.fullmatch(path):
            return self._artifact(match)
        raise UnknownPlaceholder(f"the placeholder {{{{${path}}}}} is not known")

    def _whole(self) -> dict[str, Any]:
        whole = dict(self.executor_input)
        for name in ("inputs", "outputs") if self.copies_only else ():
            side = whole.get(name, {})
            if "artifacts" in side:
                artifacts = side["artifacts"].items()
                led = {key: {"artifacts": [_led(item) for item in entry["artifacts"]]} for key, entry in artifacts}
                whole[name] = {**side, "artifacts": led}
        return whole

    def _input_parameter(self, name: str) -> Any:
        values = self.executor_input.get("inputs", {}).get("parameterValues", {})
        if name in values:
            return values[name]
        if name in self.defaults:
            return "" if self.defaults[name] is None else self.defaults[name]
        raise UnknownPlaceholder(f"the step has no input parameter {name!r}")

    def _artifact(self, match: re.Match[str]) -> Any:
        artifacts = self._found(match["side"], "artifacts", _named(match, "key"))["artifacts"]
        part = match["part"]
        if part is None:
            return list(artifacts)
        if not artifacts:
            raise UnknownPlaceholder(f"the artifact {_named(match, 'key')!r} is an empty list")
        first = artifacts[0]
        if part == "metadata":
            metadata, wanted = first.get("metadata", {}), _named(match, "field")
            return metadata.get(wanted, "") if wanted else metadata
        return first.get("customPath") or first["uri"] if part == "path" else first["uri"]

    def _found(self, side: str, kind: str, name: str) -> Any:
        entries = self.executor_input.get(side, {}).get(kind, {})
        if name not in entries:
            raise UnknownPlaceholder(f"the step has no {name!r} among its {side}")
        return entries[name]


def _ours(match: re.Match[str]) -> bool:
    return not match["path"] or match["path"].startswith(_OURS) or match["path"] == ".outputMetadataUri"


def _escaped(written: str, times: int) -> str:
    """As the inside of a JSON text, so many times over: what Google's components do with texts in their JSON."""
    for _ in range(times):
        if len(written) > MOST_PUT_IN:  # each time it may be twice as long
            raise TooMuch(f"an escaped text has more than {MOST_PUT_IN:,} characters")
        written = json.dumps(written, ensure_ascii=False)[1:-1]
    return written


def _led(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "uri": item.get("customPath") or item["uri"]}


def _named(match: re.Match[str], group: str) -> str:
    return match[group] or match[f"{group}2"] or ""
