"""Serve a door until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InputError
from ...folder.settings import RunSettings
from ...io.images import Places
from ..run import hosts_of, listen, run_app
from .clicks import Clicker
from .label_studio import Shelf, build_label_studio
from .x_anylabeling import build_x_anylabeling

#: Tools, and the port on which each looks for a server where nothing else is set.
DOORS = {"x-anylabeling": 8000, "label-studio": 9090}


def serve_door(
    tool: str,
    settings: RunSettings,
    images: Places | None,
    port: int | None,
    ready: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Serve until the process is told to end.

    Parameters
    ----------
    tool : out of `DOORS`.
    settings : what labels.
    images : what the tasks of Label Studio name; None for X-AnyLabeling, which sends them.
    port : of this machine; 0 takes a free one, None that of the tool.
    ready : called with the address, when the tool can ask.
    say : gets the sentence of each request that is refused.

    Raises
    ------
    InputError
        Where the port is taken, there are no images, or the tool needs none.
    """
    clicker = Clicker(settings)
    if tool == "label-studio" and images is None:
        raise InputError("label-studio needs the folder of the images (`images`): its tasks name them")
    if tool == "x-anylabeling" and images is not None:
        raise InputError("x-anylabeling sends its images; leave `images` out")
    shelf = None if images is None else Shelf(images)
    with listen(DOORS[tool] if port is None else port) as (listener, address):
        hosts = hosts_of(address)
        door = (
            build_x_anylabeling(clicker, hosts, say)
            if shelf is None
            else build_label_studio(clicker, shelf, hosts, say)
        )
        ready(f"http://{address}")
        run_app(door, listener)
