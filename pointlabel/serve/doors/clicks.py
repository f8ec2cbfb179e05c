"""What all doors do: clicks in an image become targets, and requests become answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..._checks import as_points, pixel_of
from ...errors import PointLabelError
from ...folder.settings import RunSettings
from ...io.exchange.base import MaskTarget, masks_of
from ...types import ImageLabels, TargetLabel
from ..answers import NO_STORE, explain, explain_http, read_json
from ..guard import Guard

#: Most bytes of a request with an image: one of 10,000 x 5,000 pixels of 16 bits, not compressed, in base64.
MOST_BYTES = 140_000_000
#: What answers a request: its body, an empty object where it has none, becomes the body of the answer and the status.
Answer = Callable[[dict[str, Any]], tuple[dict[str, Any], int]]


class Spot(NamedTuple):
    """A click: its place with centres of pixels at whole numbers, whether a target is there, and the target's label."""

    row: float
    column: float
    is_target: bool = True
    label: str = ""


class Clicker:
    """Labels the clicks of one image after another.

    Parameters
    ----------
    settings : what labels.
    """

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()

    def targets(self, read: Callable[[], NDArray], spots: Sequence[Spot]) -> tuple[tuple[int, int], list[MaskTarget]]:
        """The size of an image and its targets with a mask, in the order of the clicks.

        Parameters
        ----------
        read : reads the image, (H, W) grey levels; one image is in work at a time, so that memory is bounded.
        spots : the clicks. One where no target is takes the targets away whose mask is there.

        Raises
        ------
        InputError
            Where the image cannot be read, or a click is beside it.
        """
        with self._lock:
            image = read()
            shape = (image.shape[0], image.shape[1])
            places = as_points([(spot.row, spot.column) for spot in spots], shape)
            is_target = np.array([spot.is_target for spot in spots], bool)
            kept, refused = np.flatnonzero(is_target), pixel_of(places[~is_target], shape)
            labels = self._label(image, places[kept])
            left = [
                index
                for index, target in zip(kept.tolist(), labels.targets, strict=True)
                if not any(_holds(target, row, column) for row, column in refused.tolist())
            ]
            if len(left) < len(kept):
                labels = self._label(image, places[left])
        return shape, list(masks_of("", labels, [spots[index].label for index in left]).targets)

    def _label(self, image: NDArray, places: NDArray[np.float64]) -> ImageLabels:
        return self.settings.labeller.label(image, places, tightness=self.settings.tightness)


def _holds(target: TargetLabel, row: int, column: int) -> bool:
    rows, columns = target.window
    inside = rows.start <= row < rows.stop and columns.start <= column < columns.stop
    return inside and bool(target.mask[row - rows.start, column - columns.start])


def build_door(
    answers: Mapping[str, tuple[str, Answer]], hosts: tuple[str, ...], say: Callable[[str], None], most: int
) -> Guard:
    """The application of a door.

    Parameters
    ----------
    answers : the method and what answers, by path.
    hosts : what the tool may call this machine, with the port.
    say : gets the sentence of each error, since tools show little of an answer that is one.
    most : bytes of a request.
    """

    def route(path: str, method: str, answer: Answer) -> Route:
        async def handle(request: Request) -> Response:
            body = await read_json(request, most) if method == "POST" else {}
            content, status = await run_in_threadpool(answer, body)
            return JSONResponse(content, status, headers=NO_STORE)

        return Route(path, handle, methods=[method])

    async def tell(request: Request, error: Exception) -> Response:
        say(str(error))
        return await explain(request, error)

    handlers: Any = {PointLabelError: tell, HTTPException: explain_http}
    routes = [route(path, method, answer) for path, (method, answer) in answers.items()]
    return Guard(Starlette(routes=routes, exception_handlers=handlers), None, hosts)
