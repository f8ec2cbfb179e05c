"""Tables of trained detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, median, stdev
from typing import Any

from .store import markdown, stored


def _said(held: dict[str, Any]) -> str:
    """What runs of training share, and the protocol they are scored by."""
    protocol = held["rows"][0]["protocol"]
    data, n_seeds = held.get("dataset") or ", ".join(held["datasets"]), len(held["seeds"])
    said = f"{data}, `{held['model']}`, {held['epochs']} epochs, {n_seeds} seed{'s' if n_seeds > 1 else ''}. "
    return f"{said}Protocol {protocol['name']}: scored at {protocol['scored_at']}.\n\n"


def _iou(row: dict[str, Any]) -> str:
    """IoU, with its deviation over seeds where there are several."""
    return f"{row['iou']:.3f}" + ("" if row["iou_std"] is None else f" ± {row['iou_std']:.3f}")


def _trained(name: str, **columns: Callable[[dict[str, Any]], str]) -> str:
    """Rows of a benchmark of training: means over seeds, with the deviation of the IoU; `columns` come last."""
    held = stored(name)
    most = next((row["iou"] for row in held["rows"] if row["name"] == "full"), None)
    rows = []
    for row in held["rows"]:
        share = [f"{100 * row['iou'] / most:.0f} %"] if most else []
        cells = [
            _iou(row),
            *share,
            f"{row['niou']:.3f}",
            f"{row['pd']:.3f}",
            f"{row['fa'] * 1e6:.1f}",
        ]
        cells += [f"{row['label_iou']:.3f}", f"{row['seconds'] / 60:.0f}"]
        rows.append([f"`{row['name']}`", *cells, *(cell(row) for cell in columns.values())])
    share = ["of `full`"] if most else []
    head = ["", "IoU", *share, "nIoU", "Pd", "Fa / million", "IoU of the labels", "minutes", *columns]
    return _said(held) + markdown(head, rows)


def strategies() -> str:
    """Every training strategy from one point a target."""
    return _trained("strategies")


#: Rows of the README's table, and what they are trained on.
_OVERVIEW = {
    "full-mined": "true masks (`full`)",
    "full": "true masks, `--no-mine`",
    "offline-mined": "points (`offline`, the default)",
    "offline-default": "points (`offline`), `--no-mine`",
    "bilevel-alike": "points (`bilevel --no-balance --mine`)",
    "bilevel-errors": "points (`bilevel --weights errors --mine`)",
    "bilevel-head": "points (`bilevel --hypergradient head`, labels of `diffusion`)",
    "pal-mined": "points (`pal --mine`)",
    "pal": "points (`pal`)",
    "lesps": "points (`lesps`)",
    "point": "3 x 3 pixels at each point (`point`)",
}


def training_overview() -> str:
    """What training from points reaches beside true masks."""
    held = stored("strategies")
    rows = {row["name"]: row for row in held["rows"]}
    cells = [
        [
            what,
            _iou(row),
            f"{row['niou']:.3f}",
            f"{row['pd']:.3f}",
            f"{row['fa'] * 1e6:.0f}",
        ]
        for name, what in _OVERVIEW.items()
        if (row := rows.get(name)) is not None
    ]
    return _said(held) + markdown(["trained on", "IoU", "nIoU", "Pd", "Fa / million"], cells)


def mining() -> str:
    """What clutter mining brings `offline` on each data set it was measured on."""
    rows = []
    for name in ("strategies", "mining_nudt", "mining_irstd"):
        held = stored(name)
        found = {row["name"]: row for row in held["rows"]}
        for key, flag in (("offline-default", "`--no-mine`"), ("offline-mined", "`--mine`")):
            row = found[key]
            cells = [_iou(row), f"{row['niou']:.3f}", f"{row['pd']:.3f}", f"{row['fa'] * 1e6:.0f}"]
            part = "" if name == "strategies" else ", halves"
            rows.append([f"{held['dataset']}{part}", flag, str(held["epochs"]), str(len(held["seeds"])), *cells])
    return markdown(["data set", "`offline`", "epochs", "seeds", "IoU", "nIoU", "Pd", "Fa / million"], rows)


def strategies_mlclnet() -> str:
    """The bounds and the full method with MLCLNet."""
    return _trained("strategies_mlclnet")


def _n_images(row: dict[str, Any]) -> str:
    return str(row["images"])


def selection() -> str:
    """Training on a part of the images, and the rivals on all."""
    return _trained("selection", images=_n_images)


def selection_head() -> str:
    """The same by the weights of the other hypergradient."""
    return _trained("selection_head", images=_n_images)


def selection_errors() -> str:
    """The same by agreement with the detector, less its certain errors."""
    return _trained("selection_errors", images=_n_images)


def ablation() -> str:
    """The rows of the paper's ablation."""
    return _trained("ablation", published=lambda row: f"{row['published']:.3f}")


def shares() -> str:
    """What each part of the published method brings, one added after the other."""
    return _trained("shares")


def training_losses() -> str:
    """Losses by strategy, then IoU and Pd of the targets by local contrast, then wins and losses beside `sls`."""
    held = stored("training_losses")
    groups = {key: group["targets"] for key, group in held["rows"][0]["by_scr"].items() if group["targets"]}
    whole, parts = [], []
    for row in held["rows"]:
        head = [f"`{row['loss']}`", row["strategy"]]
        figures = [f"{row['niou']:.3f}", f"{row['pd']:.3f}", f"{row['fa'] * 1e6:.1f}"]
        whole.append([*head, _iou(row), *figures])
        parts.append([*head, *(f"{row['by_scr'][key]['iou']:.3f} / {row['by_scr'][key]['pd']:.3f}" for key in groups)])
    first = markdown(["", "strategy", "IoU", "nIoU", "Pd", "Fa / million"], whole)
    heads = [f"SCR {key} ({n_targets} targets)" for key, n_targets in groups.items()]
    second = markdown(["mean IoU / Pd", "strategy", *heads], parts)
    return f"{_said(held)}{first}\n{second}\n{_beside_sls(held['rows'], list(groups))}"


def _beside_sls(rows: Sequence[dict[str, Any]], groups: Sequence[str]) -> str:
    """A line for each loss: its IoU less that of `sls`, and in how many groups of targets it is ahead or behind."""
    plain = {row["strategy"]: row for row in rows if row["loss"] == "sls"}
    out = []
    for loss in dict.fromkeys(row["loss"] for row in rows if row["loss"] != "sls"):
        pairs = [(row, plain[row["strategy"]]) for row in rows if row["loss"] == loss and row["strategy"] in plain]
        if not pairs:
            continue
        gaps = [
            (row["by_scr"][key]["iou"] - own["by_scr"][key]["iou"], f"{row['strategy']}, SCR {key}")
            for row, own in pairs
            for key in groups
        ]
        ahead, behind = (sum(sign * gap > 5e-4 for gap, _ in gaps) for sign in (1, -1))
        whole = ", ".join(f"{row['iou'] - own['iou']:+.3f} ({row['strategy']})" for row, own in pairs)
        least, most = min(gaps), max(gaps)
        out.append(
            f"- `{loss}` less `sls`: IoU {whole}. Of {len(gaps)} groups by SCR it is ahead in {ahead} and behind in "
            f"{behind}; from {least[0]:+.3f} ({least[1]}) to {most[0]:+.3f} ({most[1]}).\n"
        )
    return "".join(out)


def bilevel_cost() -> str:
    """What an epoch of each strategy costs, in epochs of `offline` with the same sampling."""
    held = stored("bilevel")
    said = f"{held['dataset']}, `{held['model']}`, crops of {held['crop']} px, one thread. "
    said += f"An update of all labels takes {held['update_s']:.2f} s, "
    said += f"{100 * held['update_share']:.1f} % of the time between two updates.\n\n"
    rows = [[row["name"], f"{row['epoch_s']:.2f}", f"{row['of_base']:.2f} of {row['base']}"] for row in held["rows"]]
    return said + markdown(["", "seconds per epoch", "times"], rows)


def paired() -> str:
    """Gaps between strategies, of each seed and of all together."""
    rows = []
    for row in stored("paired")["rows"]:
        cells = []
        for name in ("iou", "niou"):
            gap = row["together"][name]
            cells.append(", ".join(f"{seed[name]:+.3f}" for seed in row["by_seed"]))
            cells.append(f"{gap['difference']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})")
        rows.append([f"`{row['second']}` less `{row['first']}`", *cells])
    head = ["", "IoU of each seed", "of all, 95 % interval", "nIoU of each seed", "of all, 95 % interval"]
    return markdown(head, rows)


def feedback() -> str:
    """IoU of the labels when the candidates vote again with a detector's answers."""
    rows = [
        [f"`{row['run']}`", f"{row['answer']:.3f}", *(f"{iou:.3f}" for iou in row["by_strength"].values())]
        for row in stored("feedback")["rows"]
    ]
    strengths = [f"k = {each}" for each in stored("feedback")["rows"][0]["by_strength"]]
    return markdown(["run", "its answers", *strengths], rows)


def boxes() -> str:
    """MAP50 of other people's detectors by the kind of their convolutions."""
    held = stored("boxes")
    rows, runs = [], held["rows"]
    kinds = list(dict.fromkeys(run["kind"] for run in runs))
    for net in dict.fromkeys(run["net"] for run in runs):
        cells = []
        for kind in kinds:
            scores = [run["map50"] for run in runs if (run["net"], run["kind"]) == (net, kind)]
            spread = f" ± {stdev(scores):.3f}" if len(scores) > 1 else ""
            cells.append(f"{mean(scores):.3f}{spread}" if scores else "-")
        epochs = next(run["epochs"] for run in runs if run["net"] == net)
        minutes = median(run["cpu_s"] for run in runs if run["net"] == net) / 60
        rows.append([f"`{net}`", *cells, str(epochs), f"{minutes:.0f}"])
    n_seeds = len({run["seed"] for run in runs})
    said = f"{held['dataset']}, mAP50 on the test part, {n_seeds} seed{'s' if n_seeds > 1 else ''}.\n\n"
    return said + markdown(["", *kinds, "epochs", "minutes of a processor"], rows)


TABLES = (
    boxes,
    feedback,
    paired,
    bilevel_cost,
    strategies,
    mining,
    training_overview,
    strategies_mlclnet,
    selection,
    selection_head,
    selection_errors,
    ablation,
    shares,
    training_losses,
)
