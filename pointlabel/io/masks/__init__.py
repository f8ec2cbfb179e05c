"""Mask files: one writer per format."""
