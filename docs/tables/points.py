"""The table of how long each format of points takes to read."""

from __future__ import annotations

from .store import markdown, stored


def point_formats() -> str:
    """Seconds and memory of each format."""
    rows = [
        [
            row["kind"],
            f"{row['files']:,}",
            f"{row['file_mb']:.1f}",
            f"{row['seconds']:.2f}",
            f"{row['peak_mb']:.0f}",
        ]
        for row in stored("points")["rows"]
    ]
    return markdown(["format", "files", "MB of files", "seconds", "MB of memory"], rows)


TABLES = (point_formats,)
