"""Weights that the authors of a detector, or others who ran their code, have published."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .base import Detector
from .published_file import read_published
from .registry import DETECTORS, build, get_detector

#: What an old batch normalisation does not store, and evaluation does not need.
OPTIONAL = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each tensor of a published file.

    Attributes
    ----------
    detector, in_channels, deep_supervision : the detector that was built.
    n_tensors : tensors that the detector has.
    matched : pairs (name in the file, name here), matched by name.
    matched_by_order : pairs matched only by their order and shape.
    missing : names here that the file has nothing for.
    unexpected : names in the file that have no place here.
    shape_mismatch : (name in the file, its shape, name here, shape here).
    source, sha256 : the file's name and its digest.
    suited : where not all fits, the detectors that the file fits completely.
    """

    detector: str
    in_channels: int
    deep_supervision: bool
    n_tensors: int
    matched: tuple[tuple[str, str], ...]
    matched_by_order: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shape_mismatch: tuple[tuple[str, tuple[int, ...], str, tuple[int, ...]], ...]
    source: str = ""
    sha256: str = ""
    suited: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every tensor of the file and of the detector found its place."""
        return not (self.missing or self.unexpected or self.shape_mismatch)

    @property
    def n_matched(self) -> int:
        """Tensors that were taken over."""
        return len(self.matched) + len(self.matched_by_order)

    def as_dict(self) -> dict[str, Any]:
        """Return plain containers, for JSON."""
        return asdict(self)

    def complaint(self) -> str:
        """Say in one sentence what does not fit."""
        parts = []
        for names, text in (
            (self.missing, "missing"),
            (self.unexpected, "in the file without a place here"),
            ([row[0] for row in self.shape_mismatch], "of another shape"),
        ):
            if names:
                parts.append(f"{len(names)} {text} (the first: {names[0]})")
        hint = f"; the file fits {' and '.join(self.suited)}" if self.suited else ""
        count = f"{self.n_matched} of the {self.n_tensors} tensors of {self.detector} fit"
        return f"{self.source}: {count}; {', '.join(parts)}{hint}"


def our_name(detector: type[Detector], published: str) -> str:
    """Return what a tensor of the authors' code is called here; names that no rule knows stay as they are."""
    for pattern, replacement in detector.published_names:
        published = re.sub(rf"\A(?:{pattern})", replacement, published)
    return published


def import_published(path: str | Path, name: str) -> tuple[Detector, ImportReport]:
    """Build the detector `name` with the weights of a published checkpoint, as far as they fit.

    Channels and deep supervision are those with which most tensors fit. A tensor is matched by its name: the one here,
    or the one in the authors' code. The remaining tensors are matched by order, if those of file and detector have the
    same shapes in the same order. Tensors without a counterpart keep their initial weights.

    Returns
    -------
    detector : Detector, in evaluation mode.
    report : ImportReport; `ImportReport.complete` says whether everything fitted.

    Raises
    ------
    InputError
        For an unknown detector, what `read_published` refuses, or where nothing fits.
    """
    get_detector(name)
    tensors = read_published(path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    report = replace(_best_match(tensors, name), source=Path(path).name, sha256=digest)
    if not report.complete:
        suited = (other for other in DETECTORS if other != name and _fits_whole(tensors, other))
        report = replace(report, suited=tuple(suited))
    if not report.n_matched:
        raise InputError(report.complaint())
    detector = build(name, in_channels=report.in_channels, deep_supervision=report.deep_supervision)
    state = detector.state_dict()
    state.update({here: tensors[there] for there, here in (*report.matched, *report.matched_by_order)})
    detector.load_state_dict(state)
    return detector.eval(), report


def _best_match(tensors: dict[str, torch.Tensor], name: str) -> ImportReport:
    """Match the tensors with every variant of a detector; ties go to the paper's deep supervision."""
    detector_class = get_detector(name).detector_class
    by_default = detector_class.has_side_outputs and detector_class.supervised_by_default
    supervisions = (by_default, not by_default) if detector_class.has_side_outputs else (False,)
    reports = [_match(tensors, _blank(name, *choice)) for choice in product((1, 3), supervisions)]
    return max(reports, key=lambda report: (report.complete, report.n_matched))


def _fits_whole(tensors: dict[str, torch.Tensor], name: str) -> bool:
    """Whether a detector takes all of the tensors; looks at one variant first, since most have nothing in common."""
    first = _match(tensors, _blank(name, 1, None))
    return 2 * first.n_matched > first.n_tensors and _best_match(tensors, name).complete


def _blank(name: str, in_channels: int, deep_supervision: bool | None) -> Detector:
    """Return a detector whose tensors have shapes but no values."""
    with torch.device("meta"):
        return build(name, in_channels=in_channels, deep_supervision=deep_supervision)


def _match(tensors: dict[str, torch.Tensor], detector: Detector) -> ImportReport:
    ours = {name: tuple(tensor.shape) for name, tensor in detector.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    matched, mismatched, rest = [], [], []
    open_names = dict.fromkeys(ours)
    for there, shape in shapes.items():
        here = there if there in open_names else our_name(type(detector), there)
        if here not in open_names:
            rest.append(there)
            continue
        del open_names[here]
        if ours[here] == shape:
            matched.append((there, here))
        else:
            mismatched.append((there, shape, here, ours[here]))
    rest, missing = ([name for name in names if not name.endswith(OPTIONAL)] for names in (rest, open_names))
    rest = [name for name in rest if not re.fullmatch(detector.published_constants, name)]
    by_order: list[tuple[str, str]] = []
    if rest and [shapes[name] for name in rest] == [ours[name] for name in missing]:
        by_order = list(zip(rest, missing, strict=True))
        rest, missing = [], []
    return ImportReport(
        detector=detector.name,
        in_channels=detector.in_channels,
        deep_supervision=detector.deep_supervision,
        n_tensors=len(ours),
        matched=tuple(matched),
        matched_by_order=tuple(by_order),
        missing=tuple(missing),
        unexpected=tuple(rest),
        shape_mismatch=tuple(mismatched),
    )
