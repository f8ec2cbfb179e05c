"""Losses by name: the table, its hints, and what is loaded when."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pointlabel.losses
from pointlabel import InputError
from pointlabel.losses import LOSSES, Loss, REEMLoss, ScaleLoss, build_loss
from pointlabel.losses.registry import get_loss


@pytest.mark.parametrize("name", LOSSES)
def test_every_name_builds_and_learns(name):
    """Some steps of descent on the logits alone lower every loss, whichever it is."""
    loss = build_loss(name)
    assert isinstance(loss, Loss)
    assert get_loss(name).summary
    target = torch.zeros(2, 1, 24, 24)
    target[0, 0, 5:9, 6:10] = target[1, 0, 14:17, 3:8] = 1
    image = target + torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    logits = torch.zeros(2, 1, 24, 24, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.5)
    values = []
    for _ in range(40):
        optimiser.zero_grad()
        value = loss(logits, target, image=image)
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < values[0]
    assert ((logits > 0) == (target > 0)).float().mean() > 0.97


def test_a_name_decides_some_options():
    assert [build_loss(name).kind for name in ("sls", "ratio", "diff", "signed", "reem")] == [
        "variance",
        "ratio",
        "absolute",
        "signed",
        "variance",
    ]
    loss = build_loss("diff", warm_up_epochs=9, location=False)
    assert isinstance(loss, ScaleLoss)
    assert (loss.warm_up_epochs, loss.location) == (9, False)
    assert isinstance(build_loss("reem", kind="signed"), REEMLoss)


def test_which_losses_look_at_the_image():
    assert [name for name, entry in LOSSES.items() if entry.needs_image] == ["reem"]
    for name, entry in LOSSES.items():
        if not entry.needs_image:
            build_loss(name)(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("soft_iou", {}, r"^unknown loss 'soft_iou'; did you mean soft-iou\?$"),
        ("Dice", {}, r"^unknown loss 'Dice'; did you mean dice\?$"),
        (
            "zzz",
            {},
            r"^unknown loss 'zzz'; there are soft-iou, dice, focal, edge-bce, heatmap-focal, sls, ratio, diff, signed, "
            r"reem$",
        ),
        ("focal", {"gama": 1}, r"^loss focal has no option gama; did you mean gamma\?$"),
        ("dice", {"warm": 1}, r"^loss dice has no option warm; it has smooth, reduction$"),
        ("ratio", {"kind": "signed"}, r"^loss ratio has no option kind; it has centroid, location, "),
        ("sls", {"kind": "ratio"}, r"^loss sls has no option kind; it has centroid, location, "),
    ],
)
def test_unknown_names_get_a_hint(name, options, message):
    with pytest.raises(InputError, match=message):
        build_loss(name, **options)


def test_the_package_offers_what_it_lists():
    names = dir(pointlabel.losses)
    assert "build_loss" in names
    for name in names:
        assert callable(getattr(pointlabel.losses, name)) or name == "LOSSES"
    with pytest.raises(AttributeError, match="losses attribute hinge"):
        _ = pointlabel.losses.hinge  # type: ignore[attr-defined]


def test_listing_needs_no_torch_and_making_says_which_extra_brings_it():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pointlabel.losses import LOSSES, build_loss\n"
        "print(len(LOSSES))\n"
        "try:\n    build_loss('sls')\nexcept ImportError as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        str(len(LOSSES)),
        "MissingExtraError the losses need torch: pip install 'pointlabel[train]'",
    ]


def test_the_page_lists_every_name():
    text = (Path(__file__).parents[2] / "docs/methods/losses.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`[^|]+`) \| .* \| `\w+_loss` \|$", text, re.MULTILINE)
    assert [name for cell in table for name in re.findall(r"`([\w-]+)`", cell)] == list(LOSSES)
