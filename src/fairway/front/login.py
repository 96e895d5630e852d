"""Login and logout: a token, pasted or by one-time link, becomes the session cookie of a browser."""

from __future__ import annotations

from importlib import resources
from string import Template

from aiohttp import web

from fairway.front.guard import is_own_origin, refusal
from fairway.front.identity import MASTERS, Reviewer, is_owner
from fairway.front.routing import Access, Entry
from fairway.front.sessions import SESSION_SECONDS, OneTimeLinks, Sessions
from fairway.kernel.feature import IDENTITY, Identity

_LARGEST_FORM = 64 * 1024

THIS_MACHINE = Identity("fairway:admin", (MASTERS,))
"""Whoever sees the terminal that the server was started in."""


class Login:
    def __init__(
        self, reviewer: Reviewer, sessions: Sessions, links: OneTimeLinks, *, cookie: str, public_url: str
    ) -> None:
        self._reviewer, self._sessions, self._links = reviewer, sessions, links
        self._cookie, self._public_url = cookie, public_url
        self._page = Template(asset("login.html"))

    def routes(self) -> list[Entry]:
        return [
            Entry("GET", "/login", self.enter, Access.PUBLIC),
            Entry("POST", "/login", self.paste, Access.PUBLIC),
            Entry("GET", "/login.css", style, Access.PUBLIC),
            Entry("GET", "/favicon.svg", icon, Access.PUBLIC),
            Entry("POST", "/login/one-time", self.give_link, Access.OWNER),
            Entry("POST", "/logout", self.leave, Access.OWNER),
        ]

    def one_time_url(self, identity: Identity = THIS_MACHINE, page: str = "") -> str:
        """`page` is a hash route such as #/runs: browsers carry it through the redirect."""
        return f"{self._public_url}/login?token={self._links.issue(identity)}{page}"

    async def enter(self, request: web.Request) -> web.Response:
        """The form; or, with a one-time token, straight in."""
        token = request.query.get("token")
        if token is None:
            return self._form("")
        identity = self._links.redeem(token)
        if identity is None:
            return self._form("This link was used, or is older than five minutes. `fairway open` makes a new one.")
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # Somebody clicked the link on another site, in a notebook say. A strict cookie is not sent along the
            # redirects of such a click, so our own page makes the next step.
            return self._welcome(identity, None)
        return self._welcome(identity, "/")

    async def paste(self, request: web.Request) -> web.Response:
        origin = request.headers.get("Origin")
        if origin is not None and not is_own_origin(origin, request):
            return refusal(403, 7, "The login form works only from its own page.")
        if (request.content_length or _LARGEST_FORM + 1) > _LARGEST_FORM:
            return refusal(413, 3, "The form is larger than any token is.")
        form = await request.post()
        identity = await self._reviewer.identify(str(form.get("token", "")).strip())
        if identity is None:
            return self._form("Nobody is known by this token. `fairway token` prints yours.", status=401)
        if not is_owner(identity):
            return self._form("This is the token of a workload; the dashboard is for people.", status=403)
        return self._welcome(identity, request.query.get("next", "/"))

    async def give_link(self, request: web.Request) -> web.Response:
        return web.json_response({"url": self.one_time_url(request[IDENTITY])})

    async def leave(self, request: web.Request) -> web.Response:
        self._sessions.end(request.cookies.get(self._cookie, ""))
        answer = web.Response(status=303, headers={"Location": "/login"})
        answer.del_cookie(self._cookie, path="/")
        return answer

    def _welcome(self, identity: Identity, goal: str | None) -> web.Response:
        if goal is None:
            step = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>Fairway</title>'
            answer = web.Response(text=step, content_type="text/html")
        else:
            answer = web.Response(status=303, headers={"Location": goal if _is_local(goal) else "/"})
        answer.set_cookie(
            self._cookie,
            self._sessions.issue(identity),
            max_age=SESSION_SECONDS,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._public_url.startswith("https:"),
        )
        return answer

    def _form(self, complaint: str, status: int = 200) -> web.Response:
        """`complaint` is one of our own sentences: nothing of the request is ever written into the page."""
        return web.Response(
            text=self._page.substitute(complaint=complaint, hidden="" if complaint else "hidden"),
            content_type="text/html",
            status=status,
        )


async def style(request: web.Request) -> web.Response:
    return web.Response(text=asset("login.css"), content_type="text/css")


async def icon(request: web.Request) -> web.Response:
    return web.Response(text=asset("favicon.svg"), content_type="image/svg+xml")


def asset(name: str) -> str:
    return resources.files("fairway.front").joinpath("assets", name).read_text("utf-8")


def _is_local(goal: str) -> bool:
    """A path of this server and no way to another: //host and /\\host are addresses to a browser."""
    return goal.startswith("/") and not goal.startswith(("//", "/\\")) and goal.isprintable()
