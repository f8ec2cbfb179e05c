"""Mask files: one writer a format."""
