"""A person at work on a folder of images: clicks become masks at once, and nothing that was done is lost.

`TargetBoard` is one image without files; `Session` is a folder with its output. Nothing here knows of a page.
"""

from .board import TargetBoard
from .folder import Session, open_session
from .state import Click, State

__all__ = ["Click", "Session", "State", "TargetBoard", "open_session"]
