"""Exceptions of the library. The command line turns each into one line."""


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
