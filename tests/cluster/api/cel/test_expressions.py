"""What expressions are worth: the language, its extensions, and Kubernetes' own functions.

The verdicts are those of upstream's engine.
"""

from __future__ import annotations

from contextlib import suppress

import pytest

from fairway.cluster.api.cel import types
from fairway.cluster.api.cel.program import (
    DYN,
    CompileError,
    EvaluationError,
    OutOfBudget,
    Program,
    compile_expression,
)
from fairway.cluster.api.cel.schema_types import type_of

_STRING, _INT = {"type": "string"}, {"type": "integer"}
_SCHEMA = {
    "type": "object",
    "properties": {
        "name": _STRING,
        "size": _INT,
        "share": {"type": "number"},
        "on": {"type": "boolean"},
        "port": {"x-kubernetes-int-or-string": True},
        "for": {"type": "string", "format": "duration"},
        "since": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "secret": {"type": "string", "format": "byte"},
        "a-b.c/d": _INT,
        "x__y": _INT,
        "namespace": _STRING,
        "words": {"type": "array", "items": _STRING},
        "shares": {"type": "array", "items": {"type": "number"}},
        "set": {"type": "array", "items": _STRING, "x-kubernetes-list-type": "set"},
        "parts": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": _STRING, "count": _INT}},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
        "labels": {"type": "object", "additionalProperties": _STRING},
        "absent": {"type": "object", "properties": {"inner": _STRING}},
        "other": {"type": "object", "properties": {"name": _STRING}},
        "anything": {"x-kubernetes-preserve-unknown-fields": True},
    },
}
_SELF = {
    "name": "anna",
    "size": 3,
    "share": 1,
    "on": True,
    "port": "http",
    "for": "1h2m3s4ms",
    "since": "2011-08-18T19:03:37.010000000+01:00",
    "day": "1997-07-16",
    "secret": "QUI=",
    "a-b.c/d": 7,
    "x__y": 8,
    "namespace": "team",
    "words": ["a", "b"],
    "shares": [1, 2.5],
    "set": ["a", "b"],
    "parts": [{"name": "x", "count": 1}, {"name": "y", "count": 2}],
    "labels": {"app": "web"},
    "other": {"name": "b"},
}
_OLD = {
    **_SELF,
    "set": ["b", "a"],
    "parts": [{"name": "y", "count": 2}, {"name": "x", "count": 1}],
    "since": "2011-08-18T18:03:37.01Z",
}
_TYPE = type_of(_SCHEMA)


def _program(expression: str) -> Program:
    assert _TYPE is not None
    return compile_expression(expression, {"self": _TYPE, "oldSelf": _TYPE, "anything": DYN})


def _value(expression: str) -> object:
    return _program(expression).evaluate({"self": _SELF, "oldSelf": _OLD, "anything": {"a": [1, "b"]}}).value


_TRUE = {
    "numbers": (
        "self.size + 1 == 4 && self.size - 4 == -1 && -self.size == -3",
        "7 / -2 == -3 && -7 % 2 == -1 && 7 % -2 == 1",
        "type(self.share) == double && self.share / 2.0 == 0.5",
        "self.size < 3.5 && 3u <= self.size && 1 == dyn(1.0)",
        "int('42') == 42 && double('1.5') == 1.5 && uint(3) == 3u && int(3.9) == 3",
        "string(10.0) == '10' && string(10.49) == '10.49' && string(1e6) == '1e+06' && string(true) == 'true'",
        "0x1F == 31 && 1.5e3 == 1500.0 && dyn(true) != dyn(1)",
    ),
    "logic": (
        "true || 1 / 0 == 1",
        "!(1 / 0 == 1 && false)",
        "(self.on ? 'yes' : 'no') == 'yes'",
        "[1, 2].exists(x, 1 / (x - 1) == 1)",
        "![0, 1].all(x, 1 / x == 2)",
    ),
    "texts": (
        "'tacocat'.charAt(3) == 'o' && 'tacocat'.indexOf('c') == 2 && 'tacocat'.lastIndexOf('c') == 4",
        "'a-b-c'.split('-') == ['a', 'b', 'c'] && 'a-b-c'.split('-', 2) == ['a', 'b-c']",
        "['a', 'b'].join('/') == 'a/b' && 'aXbX'.replace('X', '', 1) == 'abX'",
        "' x '.trim() == 'x' && 'É'.lowerAscii() == 'É' && 'tacocat'.substring(0, 4) == 'taco'",
        "size('👑é') == 2 && '\\u00e9\\x41\\101' == 'éAA' && r'\\n'.size() == 2",
        "'%d %s %.2f %x'.format([1, ['a', 'b'], 1.0, 255]) == '1 [a, b] 1.00 ff'",
        "'%s'.format([duration('1m')]) == '60s' && strings.quote('a\"b') == '\"a\\\\\"b\"'",
        "self.name.matches('^[a-z]+$') && 'abc 123'.find('[0-9]+') == '123'",
        "'1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
        "b'AB' == bytes('AB') && string(b'\\xc3\\xa9') == 'é'",
    ),
    "moments": (
        "self.for == duration('1h2m') + duration('3s4ms') && self.for.getMinutes() == 62",
        "string(self.for) == '3723.004s' && self.for < duration('2h')",
        "self.since == oldSelf.since && string(self.since) == '2011-08-18T19:03:37.01+01:00'",
        "self.since.getHours() == 18 && self.since.getHours('01:00') == 19 && self.since.getMonth() == 7",
        "self.day == timestamp('1997-07-16T00:00:00Z') && self.day.getDayOfWeek() == 3",
        "self.since - self.day > duration('24h') && timestamp('2024-01-01T00:00:00Z').getFullYear() == 2024",
        "timestamp('2021-01-01T12:00:00Z').getHours('Europe/Paris') == 13",
    ),
    "fields": (
        "has(self.name) && !has(self.absent) && !has(anything.b)",
        "self.a__dash__b__dot__c__slash__d == 7 && self.x__underscores__y == 8",
        "self.__namespace__ == 'team' && self.namespace == 'team'",
        "self.secret == b'AB' && self.port == 'http' && (self.port != 80)",
        "self.labels.app == 'web' && self.labels['app'] == 'web' && 'app' in self.labels && !('x' in self.labels)",
        "anything.a[1] == 'b'",
        "self.?absent.?inner.orValue('none') == 'none' && self.?name.hasValue()",
        "self.labels[?'x'].or(optional.of('y')).value() == 'y' && [?self.labels.?x] == []",
        "optional.of(2).optMap(x, x * 2) == optional.of(4) && !optional.none().optMap(x, x).hasValue()",
    ),
    "lists": (
        "self.words == ['a', 'b'] && self.words[1] == 'b' && 'a' in self.words",
        "self.words + ['c'] == ['a', 'b', 'c']",
        "self.shares[0] == 1.0 && type(self.shares[0]) == double && self.shares.sum() == 3.5",
        "self.parts.map(p, p.count).max() == 2 && self.parts.filter(p, p.count > 1).size() == 1",
        "self.parts.exists_one(p, p.name == 'x') && self.parts.all(i, p, p.count == i + 1)",
        "['b', 'a'].sort() == ['a', 'b'] && ![3, 2].isSorted() && [1, 1, 2].distinct() == [1, 2]",
        "[1, 2, 3].slice(1, 3) == [2, 3] && [[1], [2]].flatten() == [1, 2] && lists.range(3).reverse() == [2, 1, 0]",
        "[{'n': 2}, {'n': 1}].sortBy(e, e.n)[0].n == 1 && [1, 2, 1].lastIndexOf(1) == 2",
        "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10) == {'b': 20}",
        "{'a': 1}.transformMapEntry(k, v, {k + 'x': v}) == {'ax': 1} && [5].transformList(i, v, i + v) == [5]",
        "sets.contains([1, 2], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])",
    ),
    "lists without order": (
        "self == oldSelf",
        "self.set == oldSelf.set && self.set == ['b', 'a'] && self.set + ['b', 'c'] == ['a', 'b', 'c']",
        "self.parts == oldSelf.parts && (self.parts + oldSelf.parts).size() == 2",
        "self.words != ['b', 'a']",
    ),
    "quantities": (
        "quantity('50k').add(quantity('20k')) == quantity('70k') && quantity('1Gi').isGreaterThan(quantity('1G'))",
        "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('50k').sub(20000).asInteger() == 30000",
        "isQuantity('1.3Gi') && !isQuantity('200K') && !isQuantity('Mi') && quantity('-1').sign() == -1",
        "!quantity('9999999999999999999999999999G').isInteger() && quantity('500m').asApproximateFloat() == 0.5",
    ),
    "versions": (
        "semver('1.2.3').isLessThan(semver('2.0.0')) && semver('1.2.3').major() == 1",
        "!isSemver('v1.0') && isSemver('v1.0', true) && semver('01.2', true) == semver('1.2.0')",
        "semver('1.0.0-alpha.2').compareTo(semver('1.0.0-alpha.10')) == -1",
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
    ),
    "networks": (
        "isIP('::1') && !isIP('127.0.0.256') && !isIP('::ffff:1.2.3.4') && ip('::1').family() == 6",
        "ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')",
        "ip('127.0.0.1').isLoopback() && ip('169.254.1.1').isLinkLocalUnicast() && ip('8.8.8.8').isGlobalUnicast()",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))",
        "!cidr('10.0.0.0/8').containsIP(ip('11.0.0.1')) && string(cidr('10.1.0.0/8').masked()) == '10.0.0.0/8'",
        "isCIDR('::1/128') && !isCIDR('10.0.0.0/33') && cidr('10.0.0.0/8').prefixLength() == 8",
        "url('https://u:p@example.com:80/a b?k=1&k=2').getHost() == 'example.com:80'",
        "url('https://example.com:80/a b').getEscapedPath() == '/a%20b'",
        "url('http://[::1]:8/').getHostname() == '::1' && url('http://[::1]:8/').getPort() == '8'",
        "url('https://e.com/p?k=1&k=2').getQuery() == {'k': ['1', '2']} && !isURL('../relative') && isURL('/path')",
    ),
    "formats": (
        "!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('My').hasValue()",
        "!format.dns1123LabelPrefix().validate('my-name-').hasValue()",
        "format.named('uuid').value().validate('no').value() == ['does not match the UUID format']",
        "!format.named('nothing').hasValue() && !format.qualifiedName().validate('a.b/C_d').hasValue()",
        "format.date().validate('2021-13-01').hasValue()",
        "!format.datetime().validate('2021-01-01T00:00:00Z').hasValue()",
    ),
}


@pytest.mark.parametrize("topic", _TRUE)
def test_expressions_that_are_true(topic: str) -> None:
    assert [expression for expression in _TRUE[topic] if _value(expression) is not True] == []


_DOES_NOT_COMPILE = {
    "self.nmae": "ERROR: <input>:1:5: undefined field 'nmae'\n | self.nmae\n | ....^",
    "has(self.absent.z)": "undefined field 'z'",
    "size2": "undeclared reference to 'size2' (in container '')",
    "self.size == 'a'": "found no matching overload for '_==_' applied to '(int, string)'",
    "self.name.size(1)": "found no matching overload for 'size' applied to 'string.(int)'",
    "self.other == self.absent": "found no matching overload for '_==_'",
    "self.other == {'name': 'b'}": "found no matching overload for '_==_'",
    "self['name'] == 'a'": "found no matching overload for '_[_]'",
    "self.size.all(x, true)": "expression of type 'int' cannot be range of a comprehension",
    "self.words.map(1, 2)": "argument must be a simple name",
    "[1, 'a']": "ERROR: <input>:1:5: expected type 'int' but found 'string'",
    "self.name.matches(')')": "ERROR: <input>:1:19: invalid matches argument",
    "duration('1d')": "ERROR: <input>:1:10: invalid duration argument",
    "timestamp('1000-00-00T00:00:00Z')": "ERROR: <input>:1:11: invalid timestamp",
    "1 +": "Syntax error: mismatched input '<EOF>'",
    "self.anything == 1": "undefined field 'anything'",
    "has(self)": "invalid argument to has() macro",
    "package": "Syntax error: reserved identifier: package",
    "9223372036854775808": "invalid int literal",
    "1" * 5000: "invalid int literal",
    "'open": "Syntax error: token recognition error",
    "'\\q'": "invalid escape sequence",
}


@pytest.mark.parametrize("expression", _DOES_NOT_COMPILE)
def test_expressions_that_do_not_compile(expression: str) -> None:
    with pytest.raises(CompileError) as refused:
        _program(expression)
    assert _DOES_NOT_COMPILE[expression] in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(CompileError) as refused:
        _program("self.x == self.y")
    assert [issue.message for issue in refused.value.issues] == ["undefined field 'x'", "undefined field 'y'"]


_HAS_NO_VALUE = {
    "self.absent.inner == 'a'": "no such key: absent",
    "self.labels.x == 'a'": "no such key: x",
    "self.words[2] == 'a'": "index out of bounds: 2",
    "self.size + 9223372036854775807 == 0": "integer overflow",
    "1 / (self.size - 3) == 1": "division by zero",
    "dyn(self.size) + dyn('a') == 'b'": "no such overload",
    "dyn(self.name) && true": "no such overload",
    "[].min() == 1": "min called on empty list",
    "optional.none().value() == 1": "optional.none() dereference",
    "[1].slice(0, 3) == [1]": "cannot slice(0, 3), list is length 1",
    "quantity('Three').sign() == 1": "quantities must match the regular expression",
    "int('x') == 1": "invalid syntax",
    "'%d'.format(['a']) == 'a'": "decimal clause can only be used on integers",
}


@pytest.mark.parametrize("expression", _HAS_NO_VALUE)
def test_expressions_that_have_no_value(expression: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        _value(expression)
    assert _HAS_NO_VALUE[expression] in str(failed.value)


# A value that holds another twice, sixty times over: it is quickly made, and nobody ever walks it to its end.
_ENDLESS = "[self]" + ".map(a, [a, a])" * 58
_BOMBS = (
    f"{_ENDLESS} == {_ENDLESS}",
    f"{_ENDLESS} in [{_ENDLESS}]",
    f"sets.contains({_ENDLESS}, {_ENDLESS})",
    f"{_ENDLESS}.indexOf({_ENDLESS}) == 0",
    f"{_ENDLESS}.distinct() == []",
    "self.l.all(a, self.x in [self.x, self.x])",
    "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))",
    "self.l.map(a, self.l.map(b, self.l)) != []",
    "self.l.all(a, self.l + self.l + self.l != [])",
    "self.s.all(a, self.t + self.t + self.t != '')",
    "self.l.all(a, dyn(self.x) == dyn(self.x))",
    "self.s.all(a, self.t.matches('^(a*)*b?$'))",
    "self.s.all(a, self.t.replace('', self.t) != '')",
    "self.l.all(a, lists.range(1000000) != [])",
    "self.l.all(a, '%s'.format([self.x]) != '')",
    "self.l.all(a, self.l.sortBy(b, -b) != [])",
    "self.s.join(self.t) != ''",
    "self.s.all(a, string(bytes(self.t)) == self.t)",
)


@pytest.mark.parametrize("expression", _BOMBS)
def test_an_expression_that_costs_too_much_is_stopped(expression: str) -> None:
    large = {
        "l": list(range(3000)),
        "s": ["a" * 1000] * 3000,
        "t": "a" * 100_000,
        "x": {str(index): {"a": [1, 2, 3]} for index in range(20_000)},
    }
    with pytest.raises(OutOfBudget):
        compile_expression(expression, {"self": DYN}).evaluate({"self": large})


@pytest.mark.parametrize(
    "text", ("(" * 5000, "[" * 5000, "!" * 5001 + "true", "a" + ".b" * 5000, "1" + " + 1" * 40_000, "-" * 9001 + "1")
)
def test_no_text_takes_the_stack(text: str) -> None:
    with suppress(CompileError, EvaluationError, OutOfBudget):
        compile_expression(text, {"a": DYN}).evaluate({"a": {}})


def test_a_long_expression_is_compiled_in_time_that_grows_with_it() -> None:
    program = compile_expression(f"[{', '.join(['[]'] * 15_000)}].size() == 15000", {})
    assert program.evaluate({}).value is True


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("[self, self, self, self].flatten().size() > 0", 4000),
        ("self.distinct().size() > 0", 8000),
        ("'aaaaaaaaaa'.findAll('a').size() == 10", 100),
        ("'x'.matches('(a{1,100}){1,10}' + 'b')", 2000),
        ("self.all(x, ip('::1').isLoopback())", 20_000),
        ("self.all(x, x / 0 == 1 || true)", 8000),
        ("[self].all(x, x in [self, self, self, self, self, self])", 300),
        ("duration('1s'.replace('1s', '1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s')) > duration('1s')", 30),
    ],
)
def test_what_takes_long_is_dear_though_upstream_prices_it_low(text: str, least: int) -> None:
    program = compile_expression(text, {"self": types.list_of(types.INT)})
    assert program.evaluate({"self": list(range(1000))}).cost >= least


def test_a_long_duration_is_paid_for_whenever_it_is_read() -> None:
    schema = {"type": "object", "properties": {"for": {"type": "string", "format": "duration"}}}
    program = compile_expression("self.for > duration('1s') && self.for > duration('2s')", {"self": type_of(schema)})
    assert program.evaluate({"self": {"for": "1h"}}).cost < 50
    assert program.evaluate({"self": {"for": "1s" * 1000}}).cost > 3000
