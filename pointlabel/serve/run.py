"""Serve the page of a session until Ctrl-C."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from ..errors import InputError
from ..session import Session
from ..session.proposals import Finder
from .app import build_app
from .guard import new_token
from .helpers import Helpers

ADDRESS = "127.0.0.1"


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
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError as error:
            why = f"({error.strerror}); give another one, or 0 for a free one"
            raise InputError(f"port {port} cannot be used {why}") from error
        listener.listen(128)
        port = listener.getsockname()[1]
        token = new_token()
        app = build_app(session, token, (f"{ADDRESS}:{port}", f"localhost:{port}"), Helpers(session, out, finder))
        config = uvicorn.Config(
            app, http="h11", ws="none", lifespan="off", log_level="error", access_log=False, server_header=False
        )
        config.timeout_graceful_shutdown = 1
        ready(f"http://{ADDRESS}:{port}/#{token}")
        uvicorn.Server(config).run(sockets=[listener])
