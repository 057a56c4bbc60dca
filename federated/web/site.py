"""The pages of one house as an application: `site` takes what is shown, `serve` opens the door to it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route as Path

from federated.errors import ConsiliumError
from federated.pages.templating import environment, stylesheet
from federated.web.access import MAX_TOKEN, Access, Person
from federated.web.door import Door
from federated.web.exchange import Answer, Attachment, Moved, Refused, Rendered, Route, Seen
from federated.web.gate import LOG, Gate, client_of, read_cookie
from federated.web.headers import comes_from_here
from federated.web.limits import fields, read_body
from federated.web.sessions import WHOLE_SECONDS, Sessions

TITLES = {
    400: "Not understood",
    401: "Sign in",
    403: "Not allowed",
    404: "Not here",
    405: "Not so",
    408: "Too slow",
    413: "Too long",
    429: "Too often",
    500: "Something went wrong",
    503: "Not now",
}
MAX_QUERY = 4096


def site(
    title: str,
    routes: Sequence[Route],
    access: Access,
    *,
    door: Door,
    nav: Sequence[tuple[str, str]] = (),
    packages: Sequence[str] = (),
) -> Gate:
    """The pages behind their gate.

    Args:
        title: of the house, on every page.
        routes: the pages, each with the role that may see it.
        access: who is let in.
        door: where it is reached.
        nav: paths and names of the pages that every page leads to.
        packages: whose folder ``templates`` is read, before the common one.

    Raises:
        ValueError: a route names a role that nobody can have.
    """
    unknown = {route.role for route in routes} - set(access.roles)
    if unknown:
        raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
    return _House(title, access, door, nav, packages).gate(routes)


class _House:
    """What all pages of a house share."""

    def __init__(
        self,
        title: str,
        access: Access,
        door: Door,
        nav: Sequence[tuple[str, str]],
        packages: Sequence[str],
    ) -> None:
        self.title, self.access, self.door, self.nav = title, access, door, tuple(nav)
        self.sessions = Sessions(access)
        self.templates = environment(*packages)

    def gate(self, routes: Sequence[Route]) -> Gate:
        paths = [
            Path("/login", self.login, methods=["GET", "POST"]),
            Path("/logout", self.logout, methods=["POST"]),
            Path("/style.css", self.style),
            *(Path(route.path, self.shown(route), methods=list(route.methods)) for route in routes),
        ]
        app = Starlette(routes=paths, exception_handlers={HTTPException: self.no_such, Exception: self.broken})
        app.router.redirect_slashes = False
        gate = Gate(self.first_refusals(app), self.access, self.sessions, self.door)
        self.count_wrong = gate.count_wrong
        return gate

    def first_refusals(self, app: Starlette) -> Any:
        """What the gate refused is said on a page, and nothing further is asked."""

        async def pages(scope: Any, receive: Any, send: Any) -> None:
            refused = scope["state"]["refused"]
            if refused is None:
                await app(scope, receive, send)
            else:
                await self.refusal(Request(scope), refused)(scope, receive, send)

        return pages

    def shown(self, route: Route) -> Any:
        """A page as the application calls it."""

        async def answer(request: Request) -> Response:
            try:
                return self.response(request, await self.ask(request, route))
            except Refused as refused:
                return self.refusal(request, refused)
            except ConsiliumError as error:
                LOG.warning("%s", error)
                return self.refusal(request, Refused(400, str(error)))

        return answer

    async def ask(self, request: Request, route: Route) -> Answer:
        who: Person = request.state.who
        if not self.access.may(who, route.role):
            raise Refused(403, f"This is for '{route.role}', and you are here as '{who.role}'.")
        form = await self.form(request, who) if request.method == "POST" else {}
        asked: bytes = request.scope["query_string"]
        if len(asked) > MAX_QUERY:
            raise Refused(400, "The address is too long.")
        query = fields(asked)
        return await run_in_threadpool(route.endpoint, Seen(who, dict(request.path_params), query, form))

    async def form(self, request: Request, who: Person | None) -> Mapping[str, str]:
        """What was sent, if a page of this house sent it."""
        if not comes_from_here(request.headers):
            raise Refused(403, "This form was sent by another site.")
        if who is not None and who.by == "open":
            raise Refused(403, "Without a token pages are to be read only.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(400, "This is not what a form sends.")
        form = fields(await read_body(request.receive, request.headers.get("content-length")))
        mark = form.pop("csrf", "")
        if who is not None and who.by != "token" and not _same(who.csrf, mark):
            raise Refused(403, "This form is too old, or was sent by another site; open the page again.")
        return form

    async def login(self, request: Request) -> Response:
        """The page that asks for a token, and takes it."""
        if request.method != "POST":
            return self.ask_token(request, 200, to="/")
        try:
            form = await self.form(request, None)
            person = self.access.by_token(form.get("token", "")[:MAX_TOKEN].strip())
            if person is None:
                self.count_wrong(client_of(request.scope))
        except Refused as refused:
            return self.refusal(request, refused)
        if person is None:
            LOG.warning("%s showed a token that nobody has", client_of(request.scope))
            return self.ask_token(request, 401, to=form.get("to", "/"), fault="Nobody here has this token.")
        old = read_cookie(request.headers, self.sessions.cookie)
        if old:
            self.sessions.end(old)
        response = RedirectResponse(_local(form.get("to", "/")), 303)
        self.set_cookie(response, self.sessions.begin(person), WHOLE_SECONDS)
        return response

    async def logout(self, request: Request) -> Response:
        """Ends the session."""
        try:
            await self.form(request, request.state.who)
        except Refused as refused:
            return self.refusal(request, refused)
        self.sessions.end(read_cookie(request.headers, self.sessions.cookie) or "")
        response = RedirectResponse("/login", 303)
        self.set_cookie(response, "", 0)
        return response

    def set_cookie(self, response: Response, value: str, seconds: int) -> None:
        secure = self.door.secure
        response.set_cookie(
            self.sessions.cookie, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
        )

    async def style(self, _: Request) -> Response:
        """The look of all pages."""
        return Response(stylesheet(), media_type="text/css")

    def response(self, request: Request, answer: Answer) -> Response:
        if isinstance(answer, Moved):
            return RedirectResponse(_local(answer.to), 303)
        if isinstance(answer, Attachment):
            name = "".join(sign for sign in answer.name if sign.isascii() and (sign.isalnum() or sign in "._-"))
            said = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(answer.data, media_type=answer.media_type, headers=said)
        return self.page(request, answer)

    def page(self, request: Request, answer: Rendered) -> Response:
        who: Person | None = request.state.who
        common = {
            "house": self.title,
            "nav": self.nav if who else (),
            "here": request.scope["path"],
            "who": who,
            "csrf": who.csrf if who else "",
        }
        content = self.templates.get_template(answer.template).render({**answer.context, **common})
        return HTMLResponse(content, answer.status)

    def refusal(self, request: Request, refused: Refused) -> Response:
        """A page that says why there is none."""
        if refused.status == 401:
            return self.ask_token(request, 401, to=request.scope["path"], fault="")
        context = {"heading": TITLES.get(refused.status, "Not so"), "said": refused.said}
        response = self.page(request, Rendered("message.html", context, refused.status))
        if refused.status in {408, 413}:
            response.headers["connection"] = "close"
        return response

    def ask_token(self, request: Request, status: int, *, to: str, fault: str = "") -> Response:
        context = {"heading": TITLES[401], "to": _local(to), "fault": fault}
        response = self.page(request, Rendered("login.html", context, status))
        if status == 401:
            response.headers["www-authenticate"] = "Bearer"
        return response

    async def no_such(self, request: Request, error: Exception) -> Response:
        """What no route answers."""
        status = error.status_code if isinstance(error, HTTPException) else 404
        said = "There is no such page." if status == 404 else "This page is not asked for in this way."
        return self.refusal(request, Refused(status, said))

    async def broken(self, request: Request, _: Exception) -> Response:
        """A fault of ours, of which the page says nothing; the log has it."""
        return self.refusal(request, Refused(500, "This is a fault of the program; its log tells where."))


def _same(known: str, told: str) -> bool:
    return bool(known) and hmac.compare_digest(known.encode(), told.encode())


def _local(path: str) -> str:
    """A path of this house, and never of another one."""
    ours = path.startswith("/") and not path.startswith("//") and path.isprintable() and "\\" not in path
    return path if ours and path.isascii() and len(path) < 1000 else "/"
