"""Acting as somebody else: the Impersonate-* headers, and whether the sender may use them.

The verb `impersonate` is asked for on each thing that is taken on: users or serviceaccounts, groups, uids, and each
value of extra. What is done then is done, allowed and refused as that somebody; the audit log names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from fairway.cluster.api.authorizing.attempts import Attempt
from fairway.cluster.api.authorizing.grants import Grants
from fairway.cluster.api.identity import tokens
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import BadRequest

_PREFIX = "impersonate-"
_EXTRA = "impersonate-extra-"
_ANONYMOUS, _UNAUTHENTICATED = "system:anonymous", "system:unauthenticated"
_AUTHENTICATION = "authentication.k8s.io"


def is_asked(headers: Iterable[str]) -> bool:
    # The names as one text: every request is asked, and hardly any has one.
    return _PREFIX in " ".join(headers).lower() and any(name[:12].lower() == _PREFIX for name in headers)


def acting(grants: Grants, sender: Identity, headers: CIMultiDictProxy[str]) -> Identity:
    """Who the sender acts as. Raises Forbidden, BadRequest."""
    user = headers.get("Impersonate-User", "")
    groups = tuple(headers.getall("Impersonate-Group", []))
    uid = headers.get("Impersonate-Uid", "")
    extra = _extra(headers)
    if not user:
        given = [*groups, *filter(None, [uid]), *extra]
        raise BadRequest(f"requested {given} without impersonating a user")
    try:
        "".join((user, *groups, uid, *extra, *(value for values in extra.values() for value in values))).encode()
    except UnicodeEncodeError:
        raise BadRequest("the headers of an impersonation must be text in UTF-8") from None
    for attempt in _attempts(user, groups, uid, extra):
        grants.check(sender, attempt)
    wanted = Identity(user, _groups(user, groups), uid, tuple((key, tuple(values)) for key, values in extra.items()))
    return replace(wanted, impersonator=sender)


def _extra(headers: CIMultiDictProxy[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers.items():
        if name.lower().startswith(_EXTRA):
            found.setdefault(unquote(name[len(_EXTRA) :].lower()), []).append(value)
    return found


def _attempts(user: str, groups: Iterable[str], uid: str, extra: dict[str, list[str]]) -> Iterator[Attempt]:
    if Identity(user).bound_to:
        _, _, namespace, name = [*user.split(":", 3), ""][:4]
        yield Attempt("impersonate", "", "serviceaccounts", namespace, name)
    else:
        yield Attempt("impersonate", "", "users", name=user)
    for group in groups:
        yield Attempt("impersonate", "", "groups", name=group)
    if uid:
        yield Attempt("impersonate", _AUTHENTICATION, "uids", name=uid)
    for key, values in extra.items():
        for value in values:
            yield Attempt("impersonate", _AUTHENTICATION, "userextras", name=value, subresource=key)


def _groups(user: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Those that were asked for; of a service account its own, unless some were; and that somebody is known."""
    if user == _ANONYMOUS:
        return tuple(dict.fromkeys((*groups, _UNAUTHENTICATED)))
    if groups:
        return tuple(dict.fromkeys((*groups, tokens.AUTHENTICATED)))
    return tokens.groups_of(user, ())
