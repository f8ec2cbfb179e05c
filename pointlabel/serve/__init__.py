"""The page of `pointlabel serve`: a session behind a small server on this machine."""

from .run import serve_session

__all__ = ["serve_session"]
