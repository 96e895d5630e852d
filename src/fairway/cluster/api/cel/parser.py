"""From words to a tree. Macros are recognised here, as upstream does it: by name and number of arguments.

The depth of an expression and its length are bounded, so that no text takes the server's stack or time.
"""

from __future__ import annotations

from fairway.cluster.api.cel import macros
from fairway.cluster.api.cel.failures import CompileError, Issue
from fairway.cluster.api.cel.syntax import (
    Call,
    Entry,
    ListLiteral,
    Literal,
    MapLiteral,
    Name,
    Node,
    ObjectLiteral,
    Select,
)
from fairway.cluster.api.cel.tokens import RESERVED, Token, tokens
from fairway.cluster.api.cel.types import BOOL, BYTES, DOUBLE, INT, NULL, STRING, UINT, Type
from fairway.cluster.api.cel.values import UInt

_DEEPEST = 60
_LONGEST = 100_000
_RELATIONS = ("==", "!=", "<", "<=", ">", ">=", "in")
_CONSTANTS: dict[str, tuple[object, Type]] = {"true": (True, BOOL), "false": (False, BOOL), "null": (None, NULL)}


def parse(source: str) -> Node:
    """The expression. Raises CompileError."""
    if len(source) > _LONGEST:
        raise CompileError(
            "", [Issue(0, f"expression code point size exceeds limit: size: {len(source)}, limit {_LONGEST}")]
        )
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._now.kind != "end":
            raise self._unexpected("<EOF>")
        return node

    @property
    def _now(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _is(self, *texts: str) -> bool:
        token = self._now
        return token.kind in ("mark", "name") and token.text in texts

    def _taken(self, *texts: str) -> Token | None:
        return self._take() if self._is(*texts) else None

    def _must(self, text: str) -> Token:
        token = self._taken(text)
        if token is None:
            raise self._unexpected(f"'{text}'")
        return token

    def _unexpected(self, wanted: str) -> CompileError:
        shown = self._now.text
        if self._now.kind == "end":
            return self._error(self._now.at, f"Syntax error: mismatched input '<EOF>' expecting {wanted}")
        return self._error(self._now.at, f"Syntax error: mismatched input '{shown}' expecting {wanted}")

    def _error(self, at: int, message: str) -> CompileError:
        return CompileError(self._source, [Issue(at, message)])

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(self._now.at, f"expression recursion limit exceeded: {_DEEPEST}")
        node = self._or()
        if mark := self._taken("?"):
            then = self._or()
            self._must(":")
            node = Call(mark.at, "_?_:_", None, [node, then, self._expression()])
        self._depth -= 1
        return node

    def _or(self) -> Node:
        node = self._and()
        parts = [node]
        while mark := self._taken("||"):
            parts.append(self._and())
            at = mark.at
        return node if len(parts) == 1 else Call(at, "_||_", None, parts)

    def _and(self) -> Node:
        node = self._relation()
        parts = [node]
        while mark := self._taken("&&"):
            parts.append(self._relation())
            at = mark.at
        return node if len(parts) == 1 else Call(at, "_&&_", None, parts)

    def _relation(self) -> Node:
        node = self._sum()
        while mark := self._taken(*_RELATIONS):
            name = "@in" if mark.text == "in" else f"_{mark.text}_"
            node = Call(mark.at, name, None, [node, self._sum()])
        return node

    def _sum(self) -> Node:
        node = self._product()
        while mark := self._taken("+", "-"):
            node = Call(mark.at, f"_{mark.text}_", None, [node, self._product()])
        return node

    def _product(self) -> Node:
        node = self._unary()
        while mark := self._taken("*", "/", "%"):
            node = Call(mark.at, f"_{mark.text}_", None, [node, self._unary()])
        return node

    def _unary(self) -> Node:
        if mark := self._taken("!"):
            return self._repeated(mark, "!", "!_")
        if not self._is("-"):
            return self._member()
        mark = self._take()
        if self._now.kind in ("int", "float"):
            return self._member(negative=mark)
        return self._repeated(mark, "-", "-_")

    def _repeated(self, mark: Token, text: str, function: str) -> Node:
        """Two signs take each other away."""
        odd = True
        while self._taken(text):
            odd = not odd
        inner = self._member()
        return Call(mark.at, function, None, [inner]) if odd else inner

    def _member(self, negative: Token | None = None) -> Node:
        node = self._primary(negative)
        links = 0
        while self._now.kind == "mark" and self._now.text in (".", ".?", "[", "[?", "{"):
            links += 1
            if links > _DEEPEST:
                raise self._error(self._now.at, f"expression recursion limit exceeded: {_DEEPEST}")
            if self._is("{"):
                name = _qualified(node)
                if name is None:
                    break
                node = self._object(node.at, name)
                continue
            mark = self._take()
            if mark.text in ("[", "[?"):
                index = self._expression()
                self._must("]")
                node = Call(mark.at, "_[_]" if mark.text == "[" else "_[?_]", None, [node, index])
                continue
            node = self._after_dot(node, mark)
        return node

    def _after_dot(self, node: Node, mark: Token) -> Node:
        if self._now.kind != "name" or self._now.text in ("in", *_CONSTANTS):
            raise self._unexpected("IDENTIFIER")
        name = self._take().text
        if mark.text == "." and self._is("("):
            opened = self._take()
            arguments = self._arguments(")")
            return self._call(opened.at, name, node, arguments)
        return Select(mark.at, node, name, optional=mark.text == ".?")

    def _primary(self, negative: Token | None) -> Node:
        token = self._now
        if token.kind in ("int", "uint", "float", "string", "bytes"):
            return self._literal(self._take(), negative)
        if token.kind == "name":
            return self._named()
        if self._taken("("):
            node = self._expression()
            self._must(")")
            return node
        if opened := self._taken("[", "[?"):
            items, optional = self._items(first=opened.text == "[?")
            return ListLiteral(token.at, items, optional)
        if self._taken("{"):
            return MapLiteral(token.at, self._entries())
        if self._taken("."):
            return self._named()
        if token.kind == "end":
            raise self._error(token.at, "Syntax error: mismatched input '<EOF>' expecting an expression")
        raise self._error(token.at, f"Syntax error: extraneous input '{token.text}' expecting an expression")

    def _literal(self, token: Token, negative: Token | None) -> Node:
        at = negative.at if negative else token.at
        value = token.value
        if token.kind in ("int", "float") and negative:
            value = -value
        if token.kind == "int" and not -(2**63) <= value < 2**63:
            raise self._error(at, "Syntax error: invalid int literal")
        if token.kind == "uint":
            if value >= 2**64:
                raise self._error(at, "Syntax error: invalid uint literal")
            value = UInt(value)
        node = Literal(at, value)
        node.type = {"int": INT, "uint": UINT, "float": DOUBLE, "string": STRING, "bytes": BYTES}[token.kind]
        return node

    def _named(self) -> Node:
        token = self._now
        if token.kind != "name" or token.text == "in":
            raise self._unexpected("IDENTIFIER")
        self._take()
        if token.text in _CONSTANTS:
            node = Literal(token.at, _CONSTANTS[token.text][0])
            node.type = _CONSTANTS[token.text][1]
            return node
        if token.text in RESERVED:
            raise self._error(token.at, f"Syntax error: reserved identifier: {token.text}")
        if opened := self._taken("("):
            return self._call(opened.at, token.text, None, self._arguments(")"))
        return Name(token.at, token.text)

    def _call(self, at: int, name: str, target: Node | None, arguments: list[Node]) -> Node:
        try:
            expanded = macros.expanded(at, name, target, arguments)
        except macros.Misused as problem:
            raise self._error(problem.at, str(problem)) from None
        return expanded or Call(at, name, target, arguments)

    def _arguments(self, end: str) -> list[Node]:
        arguments: list[Node] = []
        while not self._taken(end):
            if arguments:
                self._must(",")
            arguments.append(self._expression())
        return arguments

    def _items(self, *, first: bool) -> tuple[list[Node], frozenset[int]]:
        """`first` says that the question mark of the first item is taken already."""
        items: list[Node] = []
        optional = {0} if first else set()
        while first or not self._taken("]"):
            first = False
            if items:
                self._must(",")
                if self._taken("]"):
                    break
            if self._taken("?"):
                optional.add(len(items))
            items.append(self._expression())
        return items, frozenset(optional)

    def _entries(self) -> list[Entry]:
        entries: list[Entry] = []
        while not self._taken("}"):
            if entries:
                self._must(",")
                if self._taken("}"):
                    break
            at = self._now.at
            optional = self._taken("?") is not None
            key = self._expression()
            self._must(":")
            entries.append(Entry(at, key, self._expression(), optional))
        return entries

    def _object(self, at: int, name: str) -> Node:
        self._must("{")
        fields: list[tuple[int, str, Node, bool]] = []
        while not self._taken("}"):
            if fields:
                self._must(",")
                if self._taken("}"):
                    break
            optional = self._taken("?") is not None
            token = self._take()
            if token.kind != "name":
                raise self._error(token.at, f"Syntax error: mismatched input '{token.text}' expecting IDENTIFIER")
            self._must(":")
            fields.append((token.at, token.text, self._expression(), optional))
        return ObjectLiteral(at, name, fields)


def _qualified(node: Node) -> str | None:
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.tests and not node.optional:
        before = _qualified(node.operand)
        return f"{before}.{node.field}" if before else None
    return None
