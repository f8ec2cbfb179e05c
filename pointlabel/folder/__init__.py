"""A folder of work through a pool of workers. It reports through a callback and prints nothing."""

from .events import Event, ImageDone, RunNote, RunStarted, RunSummary
from .run import annotate_folder
from .settings import RunSettings, build_params

__all__ = [
    "Event",
    "ImageDone",
    "RunNote",
    "RunSettings",
    "RunStarted",
    "RunSummary",
    "annotate_folder",
    "build_params",
]
