"""Serve the page of a session, or another server of this machine, until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ..errors import InputError
from ..session import Session
from ..session.proposals import Finder
from .app import build_app
from .guard import new_token
from .helpers import Helpers

ADDRESS = "127.0.0.1"


@contextmanager
def listen(port: int) -> Iterator[tuple[socket.socket, str]]:
    """A socket on a port of this machine, 0 for a free one, and its address with the port.

    Raises
    ------
    InputError
        Where the port is taken.
    """
    # Named as TCP: asyncio then sends a small answer at once, where else it waits 40 ms to be told that its head came.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError as error:
            why = f"({error.strerror}); give another one, or 0 for a free one"
            raise InputError(f"port {port} cannot be used {why}") from error
        listener.listen(128)
        yield listener, f"{ADDRESS}:{listener.getsockname()[1]}"


def hosts_of(address: str) -> tuple[str, str]:
    """The names under which this machine asks for an address with its port."""
    return address, address.replace(ADDRESS, "localhost")


def run_app(app: ASGIApp, listener: socket.socket) -> None:
    """Answer requests until the process is told to end."""
    config = uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", log_level="error", access_log=False, server_header=False
    )
    config.timeout_graceful_shutdown = 1
    uvicorn.Server(config).run(sockets=[listener])


def serve_session(
    session: Session, out: str, port: int, ready: Callable[[str], None], finder: Finder | None = None
) -> None:
    """Serve until the process is told to end.

    Parameters
    ----------
    session : what does the work; the caller closes it.
    out : its output folder.
    port : of this machine; 0 takes a free one.
    ready : called with the link, when a browser can open it.
    finder : a trained detector that proposes targets.

    Raises
    ------
    InputError
        Where the port is taken.
    """
    with listen(port) as (listener, address):
        token = new_token()
        helpers = Helpers(session, out, finder)
        app = build_app(session, token, hosts_of(address), helpers)
        ready(f"http://{address}/#{token}")
        try:
            run_app(app, listener)
        finally:
            helpers.close()
