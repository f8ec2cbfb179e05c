"""Annotation methods by name, and what all of them share: polarity, pixels that are not finite, overlapping masks."""

from .table import GROUP, METHODS, Method, MethodWarning, get_method

__all__ = ["GROUP", "METHODS", "Method", "MethodWarning", "get_method"]
