"""The words of an expression. The parser comes after; it asks for them one by one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairway.cluster.api.cel.failures import CompileError, Issue

_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\r\n\f]+|//[^\n]*)+)
  | (?P<float>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?))
  | (?P<int>(?:0x[0-9a-fA-F]+|\d+)[uU]?)
  | (?P<string>(?P<prefix>[rR]?[bB]?|[bB][rR])
      (?:\"\"\"(?P<long2>(?:[^\\]|\\[\s\S])*?)\"\"\"|'''(?P<long1>(?:[^\\]|\\[\s\S])*?)'''
        |"(?P<short2>(?:[^"\\\r\n]|\\[^\r\n])*)"|'(?P<short1>(?:[^'\\\r\n]|\\[^\r\n])*)'))
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<mark>&&|\|\||==|!=|<=|>=|\.\?|\[\?|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_RAW = re.compile(
    r"""(?P<prefix>[rR][bB]?|[bB][rR])(?:\"\"\"(?P<long2>[\s\S]*?)\"\"\"|'''(?P<long1>[\s\S]*?)'''"""
    r"""|"(?P<short2>[^"\r\n]*)"|'(?P<short1>[^'\r\n]*)')"""
)
_ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\?\"'`])|[xX](?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2})|(?P<wrong>[\s\S]))"
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LONGEST_NUMBER = 100
_BODIES = ("long2", "long1", "short2", "short1")
RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while"}
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    """`int`, `uint`, `float`, `string`, `bytes`, `name`, `mark` or `end`."""
    text: str
    at: int
    value: Any = None


def tokens(source: str) -> list[Token]:
    """All of them, with `end` as the last. Raises CompileError."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _RAW.match(source, at) or _TOKEN.match(source, at)
        if match is None:
            raise CompileError(source, [Issue(at, f"Syntax error: token recognition error at: '{source[at]}'")])
        kind = match.lastgroup if match.re is _TOKEN else "string"
        if match.re is _TOKEN:
            kind = next(name for name in ("space", "float", "int", "string", "name", "mark") if match[name] is not None)
        if kind != "space":
            found.append(_token(source, kind or "", match, at))
        at = match.end()
    return [*found, Token("end", "<EOF>", len(source))]


def _token(source: str, kind: str, match: re.Match[str], at: int) -> Token:
    text = match[0]
    if kind == "string":
        prefix = (match["prefix"] or "").lower()
        body = next(match[name] for name in _BODIES if match[name] is not None)
        try:
            if "b" in prefix:
                return Token("bytes", text, at, body.encode() if "r" in prefix else _bytes(body))
            return Token("string", text, at, body if "r" in prefix else _ESCAPE.sub(_character, body))
        except ValueError as problem:
            raise CompileError(source, [Issue(at, f"Syntax error: {problem}")]) from None
    if kind == "int":
        unsigned = text[-1] in "uU"
        if len(text) > _LONGEST_NUMBER:
            raise CompileError(source, [Issue(at, f"Syntax error: invalid {'u' * unsigned}int literal")])
        return Token("uint" if unsigned else "int", text, at, int(text.rstrip("uU"), 16 if text[:2] == "0x" else 10))
    return Token(kind, text, at, float(text) if kind == "float" else None)


def _character(match: re.Match[str]) -> str:
    if match["plain"]:
        return _PLAIN.get(match["plain"], match["plain"])
    if match["wrong"]:
        raise ValueError(f"invalid escape sequence: {match[0]}")
    number = int(match["octal"], 8) if match["octal"] else int(match["byte"] or match["short"] or match["long"], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError(f"invalid unicode code point: {match[0]}")
    return chr(number)


def _bytes(body: str) -> bytes:
    """In bytes, \\x and octal escapes are bytes; everything else is text in UTF-8."""
    out, at = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        out += body[at : match.start()].encode()
        octet = match["byte"] or match["octal"]
        out += bytes([int(octet, 16 if match["byte"] else 8)]) if octet else _character(match).encode()
        at = match.end()
    return bytes(out + body[at:].encode())
