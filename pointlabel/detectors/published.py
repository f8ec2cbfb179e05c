"""Weights that the authors of a detector, or others who ran their code, have published.

Their files are pickles, which can run code when they are opened. Here only tensors, plain containers and numbers are
read; a file that needs more is refused.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import struct
import warnings
import zipfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .base import Detector
from .registry import DETECTORS, build, get_detector

STATE_KEYS = ("state_dict", "model_state_dict", "net", "model", "weights")
PREFIXES = ("module.", "net.", "model.")
COUNTERS = ("total_ops", "total_params")  # left in the file by a counter of operations that many training scripts use
#: What an old batch normalisation does not store, and evaluation does not need.
OPTIONAL = "num_batches_tracked"
#: What a checkpoint may take in memory whatever its own size; beyond that, twice its size.
SMALL_BYTES = 256 << 20


class _Skipped:
    """Stands in for a number or an array of numpy: scores that training scripts store beside the weights."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_NUMPY_NAMES = (
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)


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


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the named tensors of a checkpoint, without the prefixes that wrappers add.

    Parameters
    ----------
    path : a file of `torch.save`, whatever its suffix: a state dict, or a dict with one under one of `STATE_KEYS`.

    Raises
    ------
    InputError
        Where the file cannot be read, is cut short, would run code, or holds no state dict.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise InputError(f"{path}: cannot be read (no regular file)")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    largest = max(SMALL_BYTES, 2 * len(data))
    sizes = _member_sizes(data, path, largest)
    recent = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)
    # Older torch refuses a file with numbers of numpy.
    stand_ins: list[Any] = [(_Skipped, name) for name in _NUMPY_NAMES]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins) if recent else nullcontext():
            warnings.simplefilter("ignore")  # about old kinds of files: they are read or refused
            held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {found[1]}" if found else "it holds more than tensors"
        raise InputError(f"{path}: not opened, since unpickling it could run code: {what}") from None
    except Exception:  # torch raises whatever a damaged file makes it stumble over
        raise InputError(f"{path}: no whole checkpoint of torch: cut short, or a file of another kind") from None
    tensors = _find_state(held, path)
    _check_tensors(tensors, path, largest, sizes)
    return tensors


def _member_sizes(data: bytes, path: str | Path, largest: int) -> set[int] | None:
    """Sizes of the members of a checkpoint that is a zip file, as it claims; None for one of the old kind.

    Torch inflates members as far as they claim to go: a file of a few kilobytes can fill the memory.
    """
    if not data.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            sizes = [member.file_size for member in file.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error, EOFError, OverflowError):
        raise InputError(f"{path}: no whole checkpoint of torch: cut short, or a file of another kind") from None
    if sum(sizes) > largest:
        raise InputError(
            f"{path}: not opened, since its {len(data)} bytes would take {sum(sizes)}; weights do not pack so well"
        )
    return set(sizes)


def _check_tensors(tensors: dict[str, torch.Tensor], path: str | Path, largest: int, sizes: set[int] | None) -> None:
    """Refuse tensors that claim more than the file holds, or hold what no weight is; none is read before."""
    total = 0
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise InputError(f"{path}: {name} is no plain tensor of numbers")
        if tensor.is_complex():
            raise InputError(f"{path}: {name} holds complex numbers")
        stored = tensor.untyped_storage().nbytes()
        total += max(stored, tensor.numel() * tensor.element_size())
        if total > largest or (sizes is not None and stored not in sizes):
            raise InputError(f"{path}: {name} of shape {tuple(tensor.shape)} claims more than the file holds")
    bad = next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)
    if bad is not None:
        raise InputError(f"{path}: {bad} holds values that are not finite")


def _find_state(held: Any, path: str | Path) -> dict[str, torch.Tensor]:
    def is_state(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and bool(value)
            and all(isinstance(key, str) and isinstance(part, torch.Tensor) for key, part in value.items())
        )

    candidates = [held, *(held.get(key) for key in STATE_KEYS)] if isinstance(held, dict) else [held]
    state = next((value for value in candidates if is_state(value)), None)
    if state is None:
        words = [key for key in held if isinstance(key, str)] if isinstance(held, dict) else []
        what = f"keys {', '.join(words[:6])}" if words else type(held).__name__
        raise InputError(f"{path}: holds no weights by name, neither bare nor as {', '.join(STATE_KEYS)}; got {what}")
    names = list(state)
    while shared := next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in names)), None):
        names = [name.removeprefix(shared) for name in names]
    pairs = zip(names, state.values(), strict=True)
    return {name: tensor for name, tensor in pairs if name.rpartition(".")[2] not in COUNTERS}


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
        For an unknown detector, what `read_checkpoint` refuses, or where nothing fits.
    """
    get_detector(name)
    tensors = read_checkpoint(path)
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
