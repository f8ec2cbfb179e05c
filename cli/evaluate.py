"""``pointlabel evaluate``: masks against the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .options import json_option, mask_threshold_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pointlabel.io.masks.pairs import MaskPair
    from pointlabel.io.masks.read import GreyMask

_PLACE = click.Path(exists=True)
_FILE = click.Path(dir_okay=False)


@click.command()
@click.argument("predicted", metavar="PRED", type=_PLACE)
@click.argument("true", metavar="GT", type=_PLACE)
@click.option(
    "--profile",
    type=click.Choice(["exact", "legacy"]),
    default="exact",
    show_default=True,
    help="How false pixels are counted: legacy leaves out a false blob whose area equals that of a matched one.",
)
@mask_threshold_option
@click.option(
    "--soft-threshold",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.5,
    show_default=True,
    help="The same for soft predictions (16 bit or floating point), as a share of certainty.",
)
@click.option("--against", metavar="B", type=_PLACE, help="Other predictions: the difference and its 95 % interval.")
@click.option("--images", metavar="DIR", type=_PLACE, help="The images, for rows by local signal-to-clutter ratio.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the bootstrap.")
@json_option
@click.option("--csv", "csv_file", metavar="FILE", type=_FILE, help="Write a row for each image.")
@click.option("--plot", metavar="FILE", type=_FILE, help="Draw the Pd-Fa curve of soft predictions.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    predicted: str,
    true: str,
    profile: str,
    mask_threshold: float,
    soft_threshold: float,
    against: str | None,
    images: str | None,
    seed: int,
    as_json: bool,
    csv_file: str | None,
    plot: str | None,
) -> None:
    """Compare the masks in PRED with the true masks in GT: IoU, nIoU, Pd, Fa, precision and recall.

    PRED and GT are folders, searched with their sub-folders, or two files; PRED may be a folder that annotate wrote.
    Masks belong together by their path without suffix. A true mask without a prediction counts as missed.

    \b
    Example:
        pointlabel evaluate out/masks data/masks --images data/images
    """
    from pointlabel.evaluation.report import Evaluation
    from pointlabel.io.masks.pairs import pair_masks

    from .evaluate_tables import draw_curve, print_report

    quiet = bool(ctx.find_root().params.get("quiet"))
    pairs = pair_masks(predicted, true)
    rivals = None if against is None else {pair.id: pair for pair in pair_masks(against, true).pairs}
    reader = _Reader(mask_threshold, soft_threshold, images)
    is_soft = reader.holds_soft(predicted, pairs.pairs)
    if plot is not None:
        _check_plot(plot, predicted, is_soft)
    evaluation = Evaluation(profile=profile, with_sweep=is_soft, seed=seed)
    rows = []
    for pair in _with_progress(pairs.pairs, quiet):
        truth = reader.truth(pair.true)
        mask, soft = reader.prediction(pair, truth, is_soft)
        rival = None if rivals is None else reader.rival(rivals[pair.id], truth)
        row = evaluation.add(mask, truth, soft=soft, rival=rival, image=reader.image(pair, truth))
        if csv_file is not None:
            rows.append({"id": pair.id, "missing": int(pair.predicted is None), **row})
    reader.check_truth(true)
    report: dict[str, Any] = {
        "pred": predicted,
        "gt": true,
        "missing": list(pairs.missing),
        "unused": len(pairs.unused),
    }
    report |= evaluation.report()
    if rivals is not None:
        report["against"]["pred"] = against
        report["against"]["missing"] = [pair.id for pair in rivals.values() if pair.predicted is None]
    for note in () if quiet else reader.notes(report):
        click.echo(f"note: {note}", err=True)
    if csv_file is not None:
        _write_csv(csv_file, rows)
    if plot is not None:
        draw_curve(plot, report["curve"])
    if as_json:
        import json

        click.echo(json.dumps(report))
    else:
        print_report(report)


def _with_progress(pairs: tuple[MaskPair, ...], quiet: bool) -> Iterable[MaskPair]:
    """A bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(pairs, "Comparing", console=console, transient=True, disable=quiet or not console.is_terminal)


class _Reader:
    """Reads masks and images, and remembers what has to be said about them at the end."""

    def __init__(self, mask_threshold: float, soft_threshold: float, images: str | None) -> None:
        from pointlabel.io.images import list_images

        self.mask_threshold, self.soft_threshold = mask_threshold, soft_threshold
        self.images = None if images is None else {file.id: file.path for file in list_images(images).files}
        self.no_image: list[str] = []
        self.faint: dict[str, list[str]] = {"true masks": [], "predictions": []}
        self.n_filled = 0
        self.n_grey = 0

    def _read(self, path: str) -> GreyMask:
        from pointlabel.io.masks.read import read_grey_mask

        return read_grey_mask(path)

    def holds_soft(self, folder: str, pairs: tuple[MaskPair, ...]) -> bool:
        """Whether the first prediction has the depth of a soft label; later ones must agree."""
        first = next(pair.predicted for pair in pairs if pair.predicted is not None)
        self.first, self.is_soft = first, self._read(first).is_soft
        return self.is_soft

    def truth(self, path: str) -> NDArray:
        grey = self._read(path)
        mask = grey.mask(self.mask_threshold)
        self.n_filled += bool(mask.any())
        self.n_grey += grey.n_other > 0
        self._note_faint("true masks", grey.complaint(self.mask_threshold))
        return mask

    def _note_faint(self, kind: str, complaint: str | None) -> None:
        if complaint is not None:
            self.faint[kind].append(complaint)

    def prediction(self, pair: MaskPair, truth: NDArray, is_soft: bool) -> tuple[NDArray, NDArray | None]:
        """Binary prediction and, for soft ones, its values; all background where there is no file."""
        import numpy as np

        from pointlabel import InputError

        if pair.predicted is None:
            return np.zeros_like(truth), np.zeros(truth.shape, np.float32) if is_soft else None
        grey = self._read(pair.predicted)
        if grey.is_soft is not is_soft:
            kinds = ("a mask of 8 bits", "a soft prediction")
            raise InputError(
                f"{pair.predicted} is {kinds[grey.is_soft]} and {self.first} is {kinds[is_soft]}; "
                "predictions must be of one kind"
            )
        return self._binary(grey, pair, truth), grey.soft() if is_soft else None

    def rival(self, pair: MaskPair, truth: NDArray) -> NDArray:
        import numpy as np

        if pair.predicted is None:
            return np.zeros_like(truth)
        return self._binary(self._read(pair.predicted), pair, truth)

    def _binary(self, grey: GreyMask, pair: MaskPair, truth: NDArray) -> NDArray:
        _check_size(grey.name, grey.levels, pair.true, truth)
        threshold = self.soft_threshold * 255 if grey.is_soft else self.mask_threshold
        if not grey.is_soft:
            self._note_faint("predictions", grey.complaint(threshold))
        return grey.mask(threshold)

    def image(self, pair: MaskPair, truth: NDArray) -> NDArray | None:
        from pointlabel.io.decode import read_image

        if self.images is None:
            return None
        if pair.id not in self.images:
            self.no_image.append(pair.id)
            return None
        image, _ = read_image(self.images[pair.id])
        _check_size(self.images[pair.id], image, pair.true, truth)
        return image

    def check_truth(self, folder: str) -> None:
        """Refuse a set of true masks that the threshold emptied altogether."""
        from pointlabel import InputError

        if self.faint["true masks"] and not self.n_filled:
            raise InputError(
                f"{folder}: every true mask is empty at --mask-threshold {self.mask_threshold:g}; "
                f"{self.faint['true masks'][0]}"
            )

    def notes(self, report: dict[str, Any]) -> list[str]:
        """What to say besides the numbers, one sentence each."""
        out = []
        against = report.get("against", {})
        for name, missing in ((report["pred"], report["missing"]), (against.get("pred"), against.get("missing"))):
            if missing:
                out.append(f"{name}: {_count(missing, 'true mask')} without a prediction, counted as empty")
        if report["unused"]:
            out.append(f"{report['pred']}: left out what has no true mask: {report['unused']}")
        for kind, complaints in self.faint.items():
            if complaints:
                out.append(f"{kind} without a value above the threshold: {len(complaints)}; the first: {complaints[0]}")
        if self.n_grey:
            out.append(f"true masks with other values than 0 and their largest, cut at the threshold: {self.n_grey}")
        if self.no_image:
            out.append(f"{_count(self.no_image, 'mask')} without an image, left out of the rows by SCR")
        return out


def _count(ids: list[str], noun: str) -> str:
    return f"{len(ids)} {noun}{'s' if len(ids) > 1 else ''} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})"


def _check_size(path: str, array: NDArray, true_path: str, truth: NDArray) -> None:
    from pointlabel import InputError

    if array.shape != truth.shape:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (array.shape, truth.shape)]
        raise InputError(f"{path} is {sizes[0]} px and {true_path} is {sizes[1]} px; they must be of one size")


def _write_csv(path: str, rows: list[dict[str, Any]]) -> None:
    import csv
    import io

    from pointlabel.io.files import write_whole
    from pointlabel.io.text import encode_text

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, encode_text(text.getvalue()))


def _check_plot(path: str, folder: str, is_soft: bool) -> None:
    """Fail before the work, not after it."""
    from importlib.util import find_spec

    from pointlabel.errors import MissingExtraError

    if not is_soft:
        raise click.UsageError(f"--plot draws the curve of soft predictions (16 bit); {folder} holds 8-bit masks")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("--plot needs matplotlib: pip install 'pointlabel[plot]'")
    if not path.lower().endswith((".png", ".pdf", ".svg")):
        raise click.UsageError(f"--plot writes .png, .pdf or .svg, got {path}")
