"""What people set about a model, from the server's environment and flags: one reading for all loaders.

`options` has environment variables by their names, and what came as a flag of KServe's own servers (`--nthread=2`) by
the flag's name. KServe spells the same setting in both ways; a flag wins.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from fairway.serving.inpod.model import CannotLoad

VALUES = (
    "nthread", "framework", "device", "dtype", "task", "max_length", "max_model_len", "model_class_name",
    "candidate_labels", "hypothesis_template",
)  # fmt: skip
SWITCHES = (
    "disable_lower_case", "disable_special_tokens", "return_token_type_ids", "return_offsets_mapping",
    "return_probabilities", "return_raw_logits", "return_labels", "trust_remote_code",
)  # fmt: skip
"""The flags that loaders know: KServe's servers have most of them."""

_FLAGS_ONLY = ("framework", "device", "dtype", "task")
"""Words that an environment may have for something else."""

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off", "")


def add_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("about the model", "what some formats can be told; see their loaders")
    for name in VALUES:
        group.add_argument(f"--{name}", default=None)
    for name in SWITCHES:
        group.add_argument(f"--{name}", nargs="?", const="true", default=None)


def with_flags(environment: Mapping[str, str], flags: argparse.Namespace) -> dict[str, str]:
    """The options of all loaders."""
    said = {name: getattr(flags, name, None) for name in (*VALUES, *SWITCHES)}
    return {**environment, **{name: str(value) for name, value in said.items() if value is not None}}


def text(options: Mapping[str, str], name: str, default: str = "") -> str:
    variable = "" if name in _FLAGS_ONLY else options.get(name.upper(), "")
    return options.get(name) or variable or default


def flag(options: Mapping[str, str], name: str) -> bool:
    said = text(options, name).lower()
    if said not in (*_TRUE, *_FALSE):
        raise CannotLoad(f"{name} is {said!r}; set it to true or false.")
    return said in _TRUE


def number(options: Mapping[str, str], name: str, default: int) -> int:
    said = text(options, name, str(default))
    if not said.isdecimal():
        raise CannotLoad(f"{name} is {said!r}; set it to a whole number.")
    return int(said)


def threads(options: Mapping[str, str]) -> int:
    """Threads for one prediction: one, as KServe's servers have it, so that many requests share the cores."""
    return max(1, number(options, "nthread", 1))


def as_mlserver(options: Mapping[str, str]) -> bool:
    """Whether to name outputs as MLServer does: what its runtime sets in the environment says so."""
    return any(options.get(name) for name in ("MLSERVER_MODEL_IMPLEMENTATION", "MLSERVER_MODEL_NAME"))


def not_mlserver(options: Mapping[str, str]) -> dict[str, str]:
    """For a model inside another, which names the answers."""
    return {name: value for name, value in options.items() if not name.startswith("MLSERVER_")}
