"""One evaluation: masks image by image, then everything that is reported about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._values import as_choice, as_number
from ..errors import InputError
from .bootstrap import paired_bootstrap
from .boxes import BOX_SCORES, AveragePrecision, component_boxes, component_scores
from .components import find_components
from .metrics import Totals, check_profile, score_image
from .pd_fa import FA_LIMIT, SoftSweep, curve_area

if TYPE_CHECKING:
    from ..io.detections import Detection


class Evaluation:
    """Compare predictions with true masks, and with other predictions where there are any.

    Only sums are kept, and four counts per image where two sets of predictions are compared.

    Parameters
    ----------
    profile : "exact" or "legacy", how false pixels are counted.
    with_sweep : whether `add` receives soft predictions, for the sweep of thresholds and the precision of boxes.
    box_score : "peak" or "mean", by which probability of its pixels a box is scored.
    n_resamples, seed : of the bootstrap, see `paired_bootstrap`.
    """

    def __init__(
        self,
        *,
        profile: str = "exact",
        with_sweep: bool = False,
        box_score: str = "peak",
        n_resamples: int = 2000,
        seed: int = 0,
    ) -> None:
        as_number(seed, "seed", 0, whole=True)
        as_number(n_resamples, "n_resamples", 1, whole=True)
        self.profile = check_profile(profile)
        self.totals, self.rival_totals = Totals(), Totals()
        self.sweep = SoftSweep() if with_sweep else None
        self.box_score = as_choice(box_score, "box_score", BOX_SCORES)
        self._boxes: AveragePrecision | None = None
        self.n_resamples, self.seed = n_resamples, seed
        self._pairs: list[tuple[int, int, int, int, bool]] = []

    def add(
        self,
        predicted: NDArray[np.bool_],
        true: NDArray[np.bool_],
        *,
        soft: NDArray | None = None,
        rival: NDArray[np.bool_] | None = None,
        image: NDArray | None = None,
        detections: Sequence[Detection] | None = None,
    ) -> dict[str, Any]:
        """Add one image and return its row.

        Parameters
        ----------
        predicted, true : (H, W) bool.
        soft : (H, W) in [0, 1], the prediction before its threshold; needed with a sweep.
        rival : (H, W) bool, the other set's prediction. Give it for every image or for none.
        image : (H, W) real, for the local SCR of the targets.
        detections : boxes with scores, in place of those of the soft prediction. Give them for every image or for none.
        """
        score = score_image(predicted, true, image)
        self.totals.add(score)
        row: dict[str, Any] = {
            "height": true.shape[0],
            "width": true.shape[1],
            "targets": score.n_targets,
            "found": score.n_found,
            "predicted": score.n_predicted,
            "inter": score.inter,
            "union": score.union,
            "iou": score.iou,
            "false_px": score.false_pixels(self.profile),
        }
        if self.sweep is not None:
            if soft is None:
                raise InputError("soft must be given for every image of an evaluation with a sweep, got None")
            self.sweep.add(soft, true)
        if detections is not None or soft is not None:
            self._add_boxes(predicted, true, soft, detections)
        if rival is not None:
            other = score_image(rival, true, image)
            self.rival_totals.add(other)
            self._pairs.append((score.inter, score.union, other.inter, other.union, score.n_targets > 0))
            row |= {f"against_{name}": getattr(other, name) for name in ("inter", "union", "iou")}
        return row

    def _add_boxes(
        self,
        predicted: NDArray[np.bool_],
        true: NDArray[np.bool_],
        soft: NDArray | None,
        detections: Sequence[Detection] | None,
    ) -> None:
        if detections is not None:
            boxes = np.array([(row.left, row.top, row.width, row.height) for row in detections], np.float64)
            scores = np.array([row.peak if self.box_score == "peak" else row.mean_score for row in detections])
        else:
            assert soft is not None
            found = find_components(predicted)
            boxes, scores = component_boxes(found), component_scores(found, soft, self.box_score)
        self._boxes = self._boxes or AveragePrecision()
        self._boxes.add(boxes.reshape(-1, 4), scores, component_boxes(find_components(true)))

    def report(self) -> dict[str, Any]:
        """Return the metrics of `Totals.summary` and, where they apply, these.

        ``curve`` : a row for each threshold, ``pd_fa_area`` : the area under it up to ``fa_limit``.
        ``ap50`` : the average precision of boxes, and ``box_score``, what they are sorted by.
        ``against`` : the rival's metrics, and in ``differences`` for IoU and nIoU the ``difference`` first - rival
        with the bounds ``low`` and ``high`` of its 95 % bootstrap interval.
        """
        out = self.totals.summary(self.profile)
        if self.sweep is not None:
            points = self.sweep.points(self.profile)
            known = [(point["fa"], point["pd"]) for point in points if point["pd"] is not None]
            out["curve"] = points
            out["pd_fa_area"] = curve_area([fa for fa, _ in known], [pd for _, pd in known]) if known else None
            out["fa_limit"] = FA_LIMIT
        if self._boxes is not None:
            out |= {"ap50": self._boxes.value(), "box_score": self.box_score}
        if self._pairs:
            counts = np.array([pair[:4] for pair in self._pairs])
            has_target = np.array([pair[4] for pair in self._pairs])
            intervals = paired_bootstrap(
                counts[:, :2], counts[:, 2:], has_target, n_resamples=self.n_resamples, rng=self.seed
            )
            out["against"] = {
                **self.rival_totals.summary(self.profile),
                "differences": {name: asdict(interval) for name, interval in intervals.items()},
                "n_resamples": self.n_resamples,
                "seed": self.seed,
            }
        return out
