"""Metrics on arrays, and their summaries."""
