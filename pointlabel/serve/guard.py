"""Who may ask: this machine's browser with the link that the command printed, or its labelling tool, and nobody else.

A page of another site can send requests to this machine, and a name of another site can be made to lead here. The first
is known by its Origin, the second by its Host; neither has the token.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Header that carries the token; a page of another site cannot set it.
TOKEN_HEADER = "x-pointlabel-token"
#: Paths below this need the token; the page itself holds nothing of anybody.
API = "/api/"
#: Sent with every answer: nothing from outside, no frame, no guess at what a file is.
SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


class Guard:
    """Refuses what comes from elsewhere, and adds `SECURITY` to every answer.

    Parameters
    ----------
    app : what answers the others.
    token : of this session; None for servers without a page, which tools ask.
    hosts : what Host may be, with the port.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: Iterable[str]) -> None:
        self.app, self.token = app, token
        self.hosts = frozenset(hosts)
        self.origins = frozenset(f"http://{host}" for host in self.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # there are no sockets, and nothing to do at the start and the end
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                more = [
                    (name.encode(), value.encode()) for name, value in SECURITY.items() if name.encode() not in given
                ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        refusal = self.refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send_safely)
        else:
            await JSONResponse({"error": refusal}, 403)(scope, receive, send_safely)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is not."""
        headers = Headers(scope=scope)
        if headers.getlist("host") not in ([host] for host in self.hosts):
            return "only requests to the address that pointlabel printed are answered"
        if any(origin not in self.origins for origin in headers.getlist("origin")):
            return "requests from other pages are refused"
        given = headers.get(TOKEN_HEADER, "")
        if self.token is None:
            return None
        if scope["path"].startswith(API) and not secrets.compare_digest(given.encode(), self.token.encode()):
            return "the token is missing or of an earlier start; open the link that pointlabel serve printed"
        return None
