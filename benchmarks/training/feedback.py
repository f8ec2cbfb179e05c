"""Do a detector's answers better the labels that it was trained on? The default method's votes with them, and without.

python -m benchmarks.training.feedback RUNS/SIRST-v1-tiny-centroid-80-offline-mined-0 \
    --out benchmarks/results/feedback.json

For each target the candidates vote again, each share times exp(k IoU) with the IoU of the candidate and the detector's
answer at the point; k = 0 is the label as it is. Targets that the detector does not answer to keep their labels.
Printed is the pooled IoU with the true masks of the training images: of the votes, and of the answers themselves.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.common import Sample, finish, load, parser
from pointlabel.engine.default.label import label_vote
from pointlabel.engine.default.params import DefaultParams
from pointlabel.engine.default.regions import LEVELS, Regions, grow_regions
from pointlabel.engine.default.vote import SUMMARY, Vote, cast_vote, vote_of
from pointlabel.engine.default.weights import Weights, load_weights
from pointlabel.engine.default.window import HALF, cut_window
from pointlabel.io.json_files import read_json
from pointlabel.methods.peaks import find_peaks
from pointlabel.training import predict_images

STRENGTHS = (0, 2, 5, 10, 20)
LEAST_ANSWER = 0.3  # probability from which a pixel belongs to an answer
_EIGHT = np.ones((3, 3))


def at_peak(groups: NDArray[np.int64], peak: tuple[int, int]) -> NDArray[np.bool_]:
    """The components, numbered from 1, that meet the 3 x 3 pixels around the peak, (H, W) bool."""
    met = np.unique(groups[max(peak[0] - 1, 0) : peak[0] + 2, max(peak[1] - 1, 0) : peak[1] + 2])
    found: NDArray[np.bool_] = np.isin(groups, met[met > 0])
    return found


def in_window(image: NDArray, peak: tuple[int, int]) -> NDArray:
    """The 65 x 65 pixels around a peak; 0 outside the image."""
    return np.pad(image, HALF)[peak[0] : peak[0] + 2 * HALF + 1, peak[1] : peak[1] + 2 * HALF + 1]


def candidate_ious(regions: Regions, answer: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of each candidate with an answer in the window, (K, L), sums of probabilities in place of counts."""
    out, total = np.empty(regions.bad.shape), float(answer.sum())
    for k, level_of in enumerate(regions.level_of):
        level, n = level_of.ravel(), len(LEVELS) + 1
        both = np.bincount(level, answer.ravel(), n)[:-1].cumsum()
        out[k] = both / (total + np.bincount(level, minlength=n)[:-1].cumsum() - both)
    return out


def vote_again(regions: Regions, vote: Vote, ious: NDArray[np.float64], strength: float) -> Vote:
    """The vote with each share times exp(strength IoU)."""
    share = vote.share * np.exp(strength * (ious - ious.max()))
    return vote_of(regions, share / max(share.sum(), 1e-300), float(vote.summary[SUMMARY.index("best_score")]))


def masks_of_image(
    sample: Sample, probability: NDArray[np.float64], params: DefaultParams, weights: Weights
) -> dict[str, NDArray[np.bool_]]:
    """Masks of one image, (H, W) bool: the detector's `answer` at the points, and the labels by strength."""
    pixels = [(row, column) for row, column in np.ceil(sample.points - 0.5).astype(int).tolist()]
    masks = {name: np.zeros(sample.mask.shape, bool) for name in ("answer", *map(str, STRENGTHS))}
    sure, likely = (ndimage.label(probability >= least, _EIGHT)[0] for least in (0.5, LEAST_ANSWER))
    for peak in find_peaks(sample.image, pixels, snap=params.snap)[0]:
        window = cut_window(sample.image, peak)
        regions = grow_regions(window)
        vote = cast_vote(regions, weights.score, params.temperature)
        masks["answer"] |= at_peak(sure, peak)
        masks["answer"][peak] = True
        ious = candidate_ious(regions, in_window(np.where(at_peak(likely, peak), probability, 0), peak))
        top, left = (max(HALF - at, 0) for at in peak)
        for strength in STRENGTHS:
            mask = label_vote(window, regions, vote_again(regions, vote, ious, strength), params, weights).mask
            here = masks[str(strength)][tuple(slice(max(at - HALF, 0), at + HALF + 1) for at in peak)]
            here |= mask[top : top + here.shape[0], left : left + here.shape[1]]
    return masks


def measure(run: Path, every: int) -> dict[str, Any]:
    """Pooled IoU of the labels of a run's training images by strength, and of the detector's answers."""
    stamp = read_json(str(run / "run.json"))
    place, params, weights = Path(stamp["datasets"][0]), DefaultParams(), load_weights()
    own = {*stamp["split"][place.name]["train"]}
    samples = [sample for sample in load(place.parent, place.name) if sample.id in own][::every]
    both: Counter[str] = Counter()
    either: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        predict_images(run, place / "images", Path(home) / "out")
        for sample in samples:
            with Image.open(Path(home) / "out/soft" / f"{sample.id}.png") as picture:
                probability = np.asarray(picture, np.float64) / 65535
            for name, mask in masks_of_image(sample, probability, params, weights).items():
                both[name] += int((mask & sample.mask).sum())
                either[name] += int((mask | sample.mask).sum())
    scores = {name: both[name] / either[name] for name in either}
    about = {"dataset": place.name, "run": run.name, "images": len(samples), "answer": scores.pop("answer")}
    return {**about, "by_strength": scores}


def main() -> None:
    """Measure, print, store."""
    options = parser(__doc__)
    options.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run of training")
    args = options.parse_args()
    rows = [measure(run, 10 if args.quick else 1) for run in args.runs]
    for row in rows:
        cells = "  ".join(f"k={k} {iou:.3f}" for k, iou in row["by_strength"].items())
        print(f"{row['run']}: the detector's answers {row['answer']:.3f}; labels {cells}")
    finish({"rows": rows}, args.out)


if __name__ == "__main__":
    main()
