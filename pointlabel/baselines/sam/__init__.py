"""Segment Anything with the point as its prompt."""
