"""Files of ``pointlabel evaluate``: read one by one, with what has to be said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pointlabel.io.masks.pairs import MaskPair
    from pointlabel.io.masks.read import GreyMask


class PairReader:
    """Reads masks and images, and remembers what has to be said about them at the end."""

    def __init__(self, mask_threshold: float, soft_threshold: float, images: str | None) -> None:
        from pointlabel.io.images import list_images
        from pointlabel.io.masks.survey import MaskTally

        self.mask_threshold, self.soft_threshold = mask_threshold, soft_threshold
        self.images = None if images is None else {file.id: file.path for file in list_images(images).files}
        self.no_image: list[str] = []
        self.tallies = {"true masks": MaskTally(), "predictions": MaskTally()}
        self.said: list[str] = []
        self.left_out: list[str] = []
        self.has_failed = False

    def _read(self, path: str) -> GreyMask:
        from pointlabel.io.masks.read import read_grey_mask

        return read_grey_mask(path)

    def fail(self, error: Exception) -> None:
        """Say at once what cannot be read; the command goes on and ends with another exit code."""
        self.has_failed = True
        click.echo(f"error: {error}", err=True)

    def leave_out(self, image_id: str, error: Exception) -> None:
        """A pair that cannot be read is never scored as empty."""
        self.left_out.append(image_id)
        self.fail(error)

    def holds_soft(self, pairs: tuple[MaskPair, ...]) -> bool:
        """Whether the first prediction that can be read has the depth of a soft label; later ones must agree."""
        from pointlabel.errors import InputError

        self.first = ""
        for pair in pairs:
            if pair.predicted is not None:
                try:
                    is_soft = self._read(pair.predicted).is_soft
                except InputError:
                    continue
                self.first = pair.predicted
                return is_soft
        return False

    def truth(self, path: str) -> NDArray:
        from pointlabel.io.masks.read import read_true_mask

        mask, notes = read_true_mask(path, self.mask_threshold)
        self.tallies["true masks"].add(mask, notes)
        return mask

    def prediction(self, pair: MaskPair, truth: NDArray, is_soft: bool) -> tuple[NDArray, NDArray | None]:
        """Binary prediction and, for soft ones, its values; all background where there is no file."""
        import numpy as np

        if pair.predicted is None:
            return np.zeros_like(truth), np.zeros(truth.shape, np.float32) if is_soft else None
        grey = self._read(pair.predicted)
        if grey.is_soft is not is_soft:
            kinds = ("a mask of 8 bits", "a soft prediction")
            raise click.UsageError(
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
        mask = grey.mask(threshold)
        if not grey.is_soft:  # of a soft prediction grey levels and faint values are what is expected
            self.tallies["predictions"].add(mask, grey.notes(threshold))
        return mask

    def image(self, pair: MaskPair, truth: NDArray) -> NDArray | None:
        from pointlabel.errors import InputError
        from pointlabel.io.decode import read_image

        if self.images is None:
            return None
        if pair.id not in self.images:
            self.no_image.append(pair.id)
            return None
        try:
            image, _ = read_image(self.images[pair.id])
            _check_size(self.images[pair.id], image, pair.true, truth)
        except InputError as error:
            self.no_image.append(pair.id)
            self.fail(error)
            return None
        return image

    def notes(self, report: dict[str, Any]) -> list[str]:
        """What to say besides the numbers, one sentence each."""
        out = list(self.said)
        against = report.get("against", {})
        for name, missing in ((report["pred"], report["missing"]), (against.get("pred"), against.get("missing"))):
            if missing:
                out.append(f"{name}: {_count(missing, 'true mask')} without a prediction, counted as empty")
        if report["unused"]:
            out.append(f"{report['pred']}: left out what has no true mask: {report['unused']}")
        if self.left_out:
            out.append(f"{_count(self.left_out, 'pair')} with a file that cannot be used, left out of every number")
        for noun, tally in self.tallies.items():
            out += tally.sentences(noun)
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
