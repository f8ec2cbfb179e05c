"""How long a person takes per target with a click and its corrections, and with a brush alone; the person is a script.

python -m benchmarks.accuracy.click_study --data DIR --out benchmarks/results/click_study.json

In each data set 50 targets, each of another image, are brought to an IoU of 0.8 with their true mask in three ways.

click : one click at the published coarse point, in a session of `pointlabel serve` on the images. A mask below 0.8 is
    tightened where it is larger than the target, else loosened, a press of a key at a time, until a press makes it
    worse, which is taken back, or three in a row change nothing. What is left is drawn and erased by hand.
learned : the same, and the page's offer to learn a style from the mended masks is taken at 3 and at 10 of them, where
    the page says that it is worth it. All that follows is clicked in that style.
brush : the target is drawn by hand from nothing.

The hand knows the true mask. Of all straight strokes of its brush it takes the one that brings most IoU per second, or
the cheapest one that ends the work, and it places it without a fault. The `fine` hand has a brush of one pixel; the
`best` one has all sizes of the page up to 7, and knows which dab fits a target. People lie between the two. Seconds are
those of `SECONDS`; none is measured on people.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from benchmarks.common import DATASETS, finish, need_data, parser
from pointlabel.errors import InputError
from pointlabel.evaluation.components import find_components
from pointlabel.io.datasets import Entry, open_dataset
from pointlabel.io.samples import read_sample
from pointlabel.session import Session, open_session
from pointlabel.session.learn import learn_style

#: Seconds of each act. P, B, K and M are the operators of the keystroke-level model (Card, Moran and Newell, "The
#: Psychology of Human-Computer Interaction", 1983): to point 1.1, to press or let go of a button 0.1, to press a key
#: 0.28 for one who types 40 words a minute, to make up one's mind 1.35. The others are guesses.
SECONDS = {
    "target": 0.8,  # a guess: the eye finds the next target
    "look": 1.35,  # M: is the mask good? Once a target, and once more before it is corrected
    "click": 1.3,  # P and two B
    "key": 0.5,  # K, and a guess of 0.22 to see what it did
    "stroke": 1.0,  # a guess: a short way to the place, then a press, a drag and letting go
}
ENOUGH = 0.8
N_TARGETS, SEED = 50, 0
STEP, IN_VAIN = 0.05, 3  # of tightness, as the page has it; presses in a row that change nothing
HANDS = {"fine": 1, "best": 7}  # the largest brush
WAYS = ("click", "learned", "brush")
OFFERS = (3, 10)  # mended masks at which a style is learned
LENGTHS = (1, 2, 3, 5, 8, 12)  # of strokes beside dabs, in pixels
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
MARGIN_PX = 20  # around target and mask, so that the longest stroke fits
MOST_STROKES = 200


class Stroke(NamedTuple):
    """A stroke of the brush: its size, and its pixels (h, w) around the middle."""

    size: int
    pixels: NDArray[np.bool_]


class Acts(Counter[str]):
    """What a person did for one target: how often each of `SECONDS`."""

    def row(self) -> dict[str, float]:
        """Each act, those of the hand together, and how long they take."""
        seconds = sum(SECONDS[name] * n for name, n in self.items())
        return {**self, "acts": self["click"] + self["key"] + self["stroke"], "seconds": round(seconds, 2)}


class Case(NamedTuple):
    """A target: its image, the coarse point (row, column) in it, and its true mask (H, W)."""

    entry: Entry
    point: tuple[int, int]
    truth: NDArray[np.bool_]


@cache
def strokes(largest: int) -> tuple[Stroke, ...]:
    """Every dab and straight stroke of a brush up to a size."""
    out = []
    for size in range(1, largest + 1):
        half = size - 1
        rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
        dab = rows**2 + columns**2 <= (half + 0.3) ** 2  # as the page has it
        out.append(Stroke(size, dab))
        for length in LENGTHS:
            for down, right in DIRECTIONS:
                line = np.zeros((2 * length + 1, 2 * length + 1), bool)
                for k in range(-(length // 2), length - length // 2 + 1):
                    line[length + k * down, length + k * right] = True
                out.append(Stroke(size, ndimage.binary_dilation(np.pad(line, half), dab)))
    return tuple(out)


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Of two masks."""
    return float((one & other).sum() / max((one | other).sum(), 1))


@dataclass(slots=True)
class Hand:
    """A hand with a brush, which keeps its size from target to target.

    Attributes
    ----------
    largest : size that the brush can have.
    size : of the brush, as the page counts.
    erases : whether it is the eraser.
    """

    largest: int
    size: int = 1
    erases: bool = False

    def mend(self, mask: NDArray[np.bool_], truth: NDArray[np.bool_], acts: Acts) -> NDArray[np.bool_]:
        """Draw and erase until `mask` (H, W) is good enough; returns what it is then, and counts in `acts`."""
        rows, columns = np.nonzero(mask | truth)
        place = tuple(slice(max(axis.min() - MARGIN_PX, 0), axis.max() + MARGIN_PX + 1) for axis in (rows, columns))
        whole, mask, truth = mask.copy(), mask[place].copy(), truth[place]
        for _ in range(MOST_STROKES):
            if iou(mask, truth) >= ENOUGH:
                break
            self._stroke(mask, truth, acts)
        whole[place] = mask
        return whole

    def _stroke(self, mask: NDArray[np.bool_], truth: NDArray[np.bool_], acts: Acts) -> None:
        """The stroke that ends the work at the least cost, else the one that brings most per second."""
        both, either, now = (mask & truth).sum(), (mask | truth).sum(), iou(mask, truth)
        best: tuple[tuple[bool, float], int, bool, NDArray[np.bool_], int] | None = None
        for erases in (False, True) if (mask & ~truth).any() else (False,):
            part = mask if erases else ~mask
            right, wrong = (part & (truth != erases)).astype(float), (part & (truth == erases)).astype(float)
            for stroke in strokes(self.largest):
                keys = abs(stroke.size - self.size) + (erases != self.erases)
                cost = SECONDS["stroke"] + keys * SECONDS["key"]
                kernel = stroke.pixels[::-1, ::-1].astype(float)
                hit, missed = (np.rint(signal.fftconvolve(each, kernel, "same")) for each in (right, wrong))
                after = (both - missed) / (either - hit) if erases else (both + hit) / (either + missed)
                at = int(after.argmax())
                gained = float(after.flat[at])
                value = (True, -cost) if gained >= ENOUGH else (False, (gained - now) / cost)
                if best is None or value > best[0]:
                    best = value, at, erases, stroke.pixels, stroke.size
        assert best is not None
        _, at, erases, pixels, size = best
        acts["key"] += abs(size - self.size) + (erases != self.erases)
        acts["stroke"] += 1
        self.size, self.erases = size, erases
        dot = np.zeros(mask.shape, bool)
        dot.flat[at] = True
        mask[ndimage.binary_dilation(dot, pixels)] = not erases


def click(session: Session, index: int, case: Case) -> tuple[Acts, float]:
    """Click on a target and press keys: what was done, and the IoU of the click alone."""
    board, (row, column) = session.open(index).board, case.point
    acts = Acts(target=1, click=1, look=1)
    session.do(index, {"do": "add", "x": column, "y": row})
    mask = board.labels.mask()
    first = now = iou(mask, case.truth)
    if first >= ENOUGH:
        return acts, first
    acts["look"] += 1
    number, tightness = board.state.clicks[-1].number, board.tightness
    by, in_vain = STEP if mask.sum() > case.truth.sum() else -STEP, 0
    while now < ENOUGH and in_vain < IN_VAIN and 0 <= round(tightness + by, 2) <= 1:
        tightness = round(tightness + by, 2)
        acts["key"] += 1
        session.do(index, {"do": "restyle", "target": number, "tightness": tightness})
        before, now = now, iou(board.labels.mask(), case.truth)
        if now < before:
            acts["key"] += 1
            session.do(index, {"do": "undo"})
            break
        in_vain = 0 if now > before else in_vain + 1
    return acts, first


def mend(session: Session, index: int, case: Case, hand: Hand, acts: Acts) -> None:
    """Draw and erase in the session what a click and keys have left to do."""
    board = session.open(index).board
    before, hand.erases = board.labels.mask(), False
    acts.update(look=1, key=3)  # zoom to it, take the brush, and later go back to clicks
    wanted = hand.mend(before, case.truth, acts)
    pixels = {"on": wanted & ~before, "off": before & ~wanted}
    action = {name: np.argwhere(each)[:, ::-1].tolist() for name, each in pixels.items()}
    session.do(index, {"do": "brush", "target": board.state.clicks[-1].number, **action})
    assert iou(board.labels.mask(), case.truth) >= ENOUGH


def click_all(folder: Path, cases: Sequence[Case], hand: Hand, learns: bool) -> list[dict[str, Any]]:
    """Click on all targets in one session, and mend them."""
    rows, offers = [], list(OFFERS) if learns else []
    with tempfile.TemporaryDirectory() as place, open_session(folder / "images", Path(place) / "out") as session:
        index_of = {item.file.id: item.index for item in session.items}
        for case in cases:
            index = index_of[case.entry.id]
            acts, first = click(session, index, case)
            took = "click" if first >= ENOUGH else "keys"
            if iou(session.open(index).board.labels.mask(), case.truth) < ENOUGH:
                took = "brush"
                mend(session, index, case, hand, acts)
            if offers and session.n_mended >= offers[0]:
                offers.pop(0)
                learned = learn_style(session)
                acts.update(key=1, look=1)
                if learned.found.worth_using:
                    acts.update(click=1)
                    session.use(learned.settings)
            rows.append({"iou_of_click": round(first, 3), "took": took, **acts.row()})
    return rows


def draw(case: Case, hand: Hand) -> Acts:
    """Draw a target from nothing."""
    acts = Acts(target=1, key=1, look=1)  # the key zooms to it
    hand.mend(np.zeros_like(case.truth), case.truth, acts)
    return acts


def cases_of(folder: Path, n: int) -> list[Case]:
    """A target of each of `n` images over the whole data set, drawn by `SEED`."""
    rng = np.random.default_rng(SEED)
    entries = open_dataset(folder, points="coarse").entries
    cases: list[Case] = []
    for entry in (entries[k] for k in rng.permutation(len(entries))):
        try:
            sample = read_sample(entry)
        except InputError:
            continue
        assert sample.mask is not None
        numbers = find_components(sample.mask).labels
        points = [(int(row), int(column)) for row, column in sample.points.tolist()]
        points = [point for point in points if numbers[point]]
        if points:
            point = points[int(rng.integers(len(points)))]
            cases.append(Case(entry, point, numbers == numbers[point]))
        if len(cases) == n:
            break
    return cases


def study(folder: Path, n: int) -> list[dict[str, Any]]:
    """Every way for `n` targets of a data set: a row for each target."""
    cases = cases_of(folder, n)
    rows: list[dict[str, Any]] = [
        {"image": case.entry.id, "x": case.point[1], "y": case.point[0], "area": int(case.truth.sum())}
        for case in cases
    ]
    for name, largest in HANDS.items():
        drawer = Hand(largest)
        done = {
            "click": click_all(folder, cases, Hand(largest), False),
            "learned": click_all(folder, cases, Hand(largest), True),
            "brush": [draw(case, drawer).row() for case in cases],
        }
        for row, *each in zip(rows, *done.values(), strict=True):
            row |= {f"{way}, {name}": what for way, what in zip(done, each, strict=True)}
    return rows


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means and medians of a data set, what each click took, and in which images it lost time."""
    out: dict[str, Any] = {"targets": len(rows)}
    for hand in HANDS:
        for way in WAYS:
            done = [row[f"{way}, {hand}"] for row in rows]
            acts, seconds = (np.array([each[key] for each in done]) for key in ("acts", "seconds"))
            about: dict[str, Any] = {"acts": float(acts.mean()), "seconds": float(seconds.mean())}
            about["median_seconds"] = float(np.median(seconds))
            if way != "brush":
                about["took"] = {
                    name: sum(each["took"] == name for each in done) for name in ("click", "keys", "brush")
                }
                drawn = [row[f"brush, {hand}"]["seconds"] for row in rows]
                slower = [row["image"] for row, s, d in zip(rows, seconds, drawn, strict=True) if s > d]
                about |= {"slower": len(slower), "slower_at": slower}
            out[f"{way}, {hand}"] = about
    return out


def main() -> None:
    args = parser(__doc__).parse_args()
    data = need_data(args)
    sets = {}
    for name in DATASETS:
        rows = study(data / name, N_TARGETS // 10 if args.quick else N_TARGETS)
        sets[name] = about = summarise(rows)
        print(f"{name}, {about['targets']} targets")
        for hand in HANDS:
            for way in WAYS:
                one = about[f"{way}, {hand}"]
                print(f"    {hand} hand, {way}: {one['acts']:.1f} acts, {one['seconds']:.1f} s per target", end="")
                took = "; " + ", ".join(f"{n} by {what}" for what, n in one.get("took", {}).items())
                print(f"{took}; slower than drawing on {one['slower']}" if "took" in one else "", flush=True)
    finish({"seconds": SECONDS, "enough": ENOUGH, "seed": SEED, "data_sets": sets}, args.out)


if __name__ == "__main__":
    main()
