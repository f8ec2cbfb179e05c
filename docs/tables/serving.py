"""Tables about the page of `pointlabel serve`."""

from __future__ import annotations

from typing import Any

from .store import DATASETS, markdown, stored

HANDS = ("fine", "best")
WAYS = {"click": "click", "learned": "click, style learned", "brush": "brush alone"}


def click_study() -> str:
    """Acts and seconds per target with a click and with a brush, and where the click lost."""
    sets: dict[str, Any] = stored("click_study")["data_sets"]
    rows = []
    for name in DATASETS:
        for way, words in WAYS.items():
            about = [sets[name][f"{way}, {hand}"] for hand in HANDS]
            took = about[0].get("took")
            shares = (
                [str(took[key]) for key in ("click", "keys", "brush")]
                if took
                else ["-", "-", str(sets[name]["targets"])]
            )
            cells = [f"{each['acts']:.1f}, {each['seconds']:.1f} s" for each in about]
            lost = [str(each.get("slower", "-")) for each in about]
            rows.append([f"{name}, {words}", *shares, *cells, *lost])
    head = ["", "done by the click", "by keys", "by the brush", "fine hand", "best hand"]
    return markdown([*head, "slower, fine", "slower, best"], rows)


def click_seconds() -> str:
    """The seconds that the study assumes."""
    seconds = stored("click_study")["seconds"]
    return ", ".join(f"{name} {value:g} s" for name, value in seconds.items()) + "."


TABLES = (click_study, click_seconds)
