"""Exceptions of the library, which the command line turns into one line each, and the hint at the end of some."""

from collections.abc import Iterable


class PointLabelError(Exception):
    """Base of every error that a user can cause or fix."""


class InputError(PointLabelError, ValueError):
    """An argument, a file or a value breaks a rule; the message names all three where there are three."""


class OutputError(PointLabelError, OSError):
    """Something could not be written; what was written before is whole."""


class TrainingError(PointLabelError):
    """Training cannot go on; what was trained before stays on the disk."""


class UnknownMethodError(InputError):
    """No annotator of that name; the message suggests the nearest one."""


class MissingExtraError(PointLabelError, ImportError):
    """An optional package is needed; the message says which extra brings it."""


_SHOWN_LETTERS = 80


def shown(value: object) -> str:
    """A value at the end of a sentence: its repr, cut where it is long, its type where it has none."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # whole numbers of more than 4300 digits, and whatever objects of others raise
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 20]} ... ({len(text)} letters)"


def name_hint(name: object, known: Iterable[str], rest: str = "there are") -> str:
    """Which of the known names was meant, or all of them after `rest`; the end of a sentence about an unknown name."""
    import difflib  # only where something is wrong

    names = list(known)
    text = str(name).lower()[:_SHOWN_LETTERS]
    near = difflib.get_close_matches(text, names, n=1) or [each for each in names if text and each.startswith(text)]
    return f"did you mean {near[0]}?" if near else f"{rest} {', '.join(names) or 'none'}"
