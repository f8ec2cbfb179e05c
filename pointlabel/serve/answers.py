"""What every server here does with a request: its body is one JSON object, and an error is one sentence in JSON."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import InputError, OutputError

#: Most bytes of a request without an image.
MOST_BYTES = 4 << 20
#: What changes is asked for anew each time.
NO_STORE = {"cache-control": "no-store"}


async def read_json(request: Request, most: int = MOST_BYTES) -> dict[str, Any]:
    """The body of a request.

    Raises
    ------
    InputError
        Where it is no JSON object, or another type is named.
    HTTPException
        413, where it has more than `most` bytes.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise InputError("a request must have the type application/json")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise HTTPException(413)
    try:
        body = json.loads(bytes(data))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InputError("a request must hold one JSON object")
    return body


async def explain(request: Request, error: Exception) -> Response:
    """Answer an error of this library: 500 where a file cannot be written, else 400."""
    return JSONResponse({"error": str(error)}, 500 if isinstance(error, OutputError) else 400, headers=NO_STORE)


async def explain_http(request: Request, error: Exception) -> Response:
    """Answer an error of the server, such as 404."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=NO_STORE)
