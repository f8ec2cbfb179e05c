"""Servers for programs in which people click already: a click there is answered by the masks of `annotate`."""

from .run import DOORS, serve_door

__all__ = ["DOORS", "serve_door"]
