"""The server of the page. Every path below ``/api/`` needs the token; images are named by their number in the list.

| request | answer |
| --- | --- |
| ``GET /api/session`` | folders, settings, notes, what flags mean, all images (`describe.describe_item`) |
| ``GET /api/changes?since=V`` | what changed after V: the version, images, those that wait, notes, fault, training |
| ``GET /api/images/N`` | the image and all its targets (`describe.describe_image`, `describe.describe_pixels`) |
| ``GET /api/images/N/pixels`` | its pixels row by row, little-endian, in its ``dtype``; with an ETag |
| ``GET /api/images/N/thumb`` | a small PNG |
| ``POST /api/images/N/do`` | do an action (`session.state.ACTIONS`, undo, redo): the image, and targets it touched |
| ``GET /api/images/N/proposals`` | candidates without a point, the likeliest first (`session.proposals`) |
| ``POST /api/images/N/carry`` | carry a target to the images after it: ``{"target": NUMBER}`` |
| ``POST /api/style/learn`` | the style of the masks mended by hand, with what it changes; nothing is applied |
| ``POST /api/style/use`` | label by the style that was learned last |
| ``POST /api/dataset`` | write a data set of the accepted images, and the command that trains on it |
| ``GET /api/training`` | how far the training on this is, its curves, and the command that goes on with it |
| ``POST /api/training/start`` | write a data set and train on it: ``{"epochs": N}``, or ``{"resume": true}`` |
| ``POST /api/training/stop`` | end it; what was trained stays |
| ``POST /api/training/use`` | let what was trained propose targets |
| ``POST /api/export`` | write the masks in a format of another tool: ``{"format": NAME}`` |

An error is ``{"error": SENTENCE}`` with status 400, 404 for an image that is none, 500 where a file cannot be written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import InputError, PointLabelError
from ..io.decode import read_image
from ..session import Session
from ..types import FLAGS
from .answers import NO_STORE, explain, explain_http, read_json
from .describe import describe_image, describe_item, describe_pixels, encode_pixels, encode_thumb
from .guard import Guard
from .helpers import Helpers

_KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
Handler = Callable[[Request], Awaitable[Response]]


class Page:
    """Answers of one session.

    Parameters
    ----------
    session : what does the work.
    helpers : what proposes, carries, learns and exports.
    """

    def __init__(self, session: Session, helpers: Helpers) -> None:
        self.session, self.helpers = session, helpers
        self._thumb = lru_cache(maxsize=4096)(self._make_thumb)

    def about(self) -> dict[str, Any]:
        """What the page asks for first."""
        session = self.session
        return {
            "images": [describe_item(item) for item in session.items],
            "version": session.version,
            "notes": session.notes,
            "flags": FLAGS,
            "settings": {"tightness": session.settings.tightness, "polarity": session.settings.polarity},
            **self.helpers.about(),
        }

    def changes(self, since: int) -> dict[str, Any]:
        """What happened after a version."""
        session = self.session
        now = session.version
        return {
            "version": now,
            "images": [describe_item(item) for item in session.items if item.version > since],
            "pending": session.n_pending,
            "notes": session.notes,
            "fault": session.fault,
            **self.helpers.news(),
        }

    def image(self, index: int) -> dict[str, Any]:
        """An image with all its targets."""
        opened = self.session.open(index)
        with self.session.lock:
            return describe_pixels(opened) | describe_image(self.session.item(index), opened)

    def do(self, index: int, action: dict[str, Any]) -> dict[str, Any]:
        """Do an action, and list the targets that it touched."""
        change = self.session.do(index, action)
        opened = self.session.open(index)
        with self.session.lock:
            answer = describe_image(self.session.item(index), opened, change.touched)
        return answer | {"changed": change.changed, **self.helpers.after(index)}

    def pixels(self, index: int, known: str | None) -> Response:
        """The pixels, unless the browser has them."""
        opened = self.session.open(index)
        tag = f'"{opened.sha256}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        if known == tag:
            return Response(status_code=304, headers=headers)
        return Response(encode_pixels(opened.board.image), media_type="application/octet-stream", headers=headers)

    def thumb(self, index: int) -> Response:
        """A small picture."""
        return Response(self._thumb(index), media_type="image/png", headers={"cache-control": "private, max-age=3600"})

    def _make_thumb(self, index: int) -> bytes:
        return encode_thumb(read_image(self.session.item(index).file.path)[0])


def build_app(session: Session, token: str, hosts: tuple[str, ...], helpers: Helpers) -> Guard:
    """The application.

    Parameters
    ----------
    session : what does the work.
    token : that requests need.
    hosts : what the browser may call this machine, with the port.
    helpers : what proposes, carries, learns and exports.
    """
    page = Page(session, helpers)
    files = {
        each.name: each.read_bytes()
        for each in resources.files(__package__).joinpath("static").iterdir()
        if each.is_file()
    }

    async def static(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], media_type=_KINDS[name.rpartition(".")[2]], headers=NO_STORE)

    def get(answer: Callable[[Request], Any]) -> Handler:
        async def handle(request: Request) -> Response:
            found = await run_in_threadpool(answer, request)
            return found if isinstance(found, Response) else JSONResponse(found, headers=NO_STORE)

        return handle

    def post(answer: Callable[[Request, dict[str, Any]], Any]) -> Handler:
        async def handle(request: Request) -> Response:
            body = await read_json(request)
            return JSONResponse(await run_in_threadpool(answer, request, body), headers=NO_STORE)

        return handle

    async def do(request: Request) -> Response:
        body, number = await read_json(request), index(request)
        if session.is_open(number):  # a millisecond or two: less than another thread takes to begin
            answer = page.do(number, body)
        else:
            answer = await run_in_threadpool(page.do, number, body)
        return JSONResponse(answer, headers=NO_STORE)

    def index(request: Request) -> int:
        return int(request.path_params["index"])

    routes = [
        Route("/", static),
        Route("/static/{name}", static),
        Route("/api/session", get(lambda request: page.about())),
        Route("/api/changes", get(lambda request: page.changes(_whole(request.query_params.get("since", "0"))))),
        Route("/api/images/{index:int}", get(lambda request: page.image(index(request)))),
        Route(
            "/api/images/{index:int}/pixels",
            get(lambda request: page.pixels(index(request), request.headers.get("if-none-match"))),
        ),
        Route("/api/images/{index:int}/thumb", get(lambda request: page.thumb(index(request)))),
        Route("/api/images/{index:int}/do", do, methods=["POST"]),
        Route("/api/images/{index:int}/proposals", get(lambda request: helpers.proposals(index(request)))),
        Route(
            "/api/images/{index:int}/carry",
            post(lambda request, body: helpers.carry(index(request), body.get("target"))),
            methods=["POST"],
        ),
        Route("/api/style/learn", post(lambda request, body: helpers.learn()), methods=["POST"]),
        Route("/api/style/use", post(lambda request, body: helpers.use_style()), methods=["POST"]),
        Route("/api/export", post(lambda request, body: helpers.export(body.get("format"))), methods=["POST"]),
        Route("/api/dataset", post(lambda request, body: helpers.dataset()), methods=["POST"]),
        Route("/api/training", get(lambda request: helpers.training())),
        Route("/api/training/start", post(lambda request, body: helpers.train(body)), methods=["POST"]),
        Route("/api/training/stop", post(lambda request, body: helpers.stop_training()), methods=["POST"]),
        Route("/api/training/use", post(lambda request, body: helpers.use_training()), methods=["POST"]),
    ]
    handlers: Any = {PointLabelError: explain, HTTPException: explain_http}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), token, hosts)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError("since must be a whole number")
    return int(text)
