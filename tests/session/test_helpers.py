"""What a session offers beside clicks: proposals, carried targets, a style from mended masks, a data set."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pointlabel import annotate
from pointlabel.engine.default.style import named_style
from pointlabel.errors import InputError
from pointlabel.folder import build_params
from pointlabel.io.datasets import open_dataset
from pointlabel.io.samples import read_sample
from pointlabel.labeling import open_labeller
from pointlabel.session import TargetBoard, open_session
from pointlabel.session.carry import carry
from pointlabel.session.dataset import write_dataset
from pointlabel.session.learn import learn_style
from pointlabel.session.proposals import propose
from pointlabel.synthetic import draw_scene


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_proposals_are_the_targets_and_refused_ones_stay_refused(polarity):
    scene = draw_scene(seed=4, n_targets=4, contrast=12.0, polarity=polarity, dtype=np.uint16)
    board = TargetBoard(scene.image, open_labeller(polarity=polarity))
    first = propose(board)
    assert [proposal.score for proposal in first] == sorted((proposal.score for proposal in first), reverse=True)
    found = {int(scene.labels[proposal.row, proposal.column]) for proposal in first[:4]}
    assert found == {1, 2, 3, 4}
    board.add(first[0].row, first[0].column, source="proposal")
    board.do({"do": "refuse", "x": first[1].column, "y": first[1].row})
    places = [(proposal.row, proposal.column) for proposal in propose(board)]
    assert places == [(proposal.row, proposal.column) for proposal in first[2:]]
    board.undo()
    assert (first[1].row, first[1].column) in [(proposal.row, proposal.column) for proposal in propose(board)]


def test_proposals_of_holes_and_flat_images_are_none():
    image = np.full((40, 50), np.nan, np.float32)
    assert propose(TargetBoard(image)) == []
    image[10:30, 10:40] = 7
    assert propose(TargetBoard(image)) == []


def test_a_detector_proposes_in_its_own_order():
    scene = draw_scene(seed=4, n_targets=2, contrast=12.0)
    places = scene.points.astype(int).tolist()
    found = propose(TargetBoard(scene.image), 255.0, lambda image, full: [(*places[0], 0.4), (*places[1], 0.9)])
    assert [(proposal.row, proposal.column) for proposal in found] == [tuple(places[1]), tuple(places[0])]


def test_a_peak_beside_a_mask_proposes_no_target_again():
    scene = draw_scene(seed=4, n_targets=1, contrast=12.0)
    board = TargetBoard(scene.image)
    board.add(*scene.points[0])
    mask = board.labels.mask()
    beside = np.argwhere(ndimage.binary_dilation(mask) & ~mask).tolist()
    row, column = max(beside, key=lambda place: np.abs(place - scene.points[0]).max())
    assert propose(board, 255.0, lambda image, full: [(row, column, 0.9)]) == []
    board.remove(1)
    assert len(propose(board, 255.0, lambda image, full: [(row, column, 0.9)])) == 1


@pytest.fixture
def sequence(tmp_path, rng):
    """Eight frames in which a target moves by (2, 3) px, until the sixth, and another folder's frame after them."""
    folder = tmp_path / "frames"
    (folder / "z").mkdir(parents=True)
    ground = ndimage.gaussian_filter(rng.normal(size=(90, 120)), 6) * 60 + 100
    for k in range(9):
        image = ground + rng.normal(size=ground.shape)
        if k < 6 or k == 8:
            spot = np.zeros(ground.shape)
            spot[20 + 2 * k, 30 + 3 * k] = 1
            image += ndimage.gaussian_filter(spot, 1.2) * 9 * 40
        name = f"{k}.png" if k < 8 else "z/8.png"
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / name)
    return folder


def test_a_target_is_carried_until_it_is_lost(sequence, tmp_path):
    with open_session(sequence, tmp_path / "out") as session:
        session.do(0, {"do": "add", "x": 30, "y": 20, "tightness": 0.7, "label": "drone"})
        found = carry(session, 0, 1)
        assert [each.index for each in found] == [1, 2, 3, 4, 5]
        for each in found:
            assert max(abs(each.row - 20 - 2 * each.index), abs(each.column - 30 - 3 * each.index)) <= 1
        click = session.open(3).board.state.clicks[0]
        assert (click.tightness, click.label, click.source) == (0.7, "drone", "carried")
        assert carry(session, 2, 1) == []  # the next image has it already
        session.do(3, {"do": "undo"})
        assert [each.index for each in carry(session, 2, 1)] == [3]
        with pytest.raises(InputError, match="there is no target 9"):
            carry(session, 0, 9)


def test_a_style_is_learned_from_mended_masks(tmp_path):
    """Masks mended to what a known style draws: the style that is learned draws the others like it."""
    truth = build_params("default", {"style": named_style("loose")})
    (tmp_path / "images").mkdir()
    scenes = [draw_scene(seed=k, n_targets=3, contrast=12.0, shapes=("gaussian",)) for k in range(4)]
    for k, scene in enumerate(scenes):
        Image.fromarray(scene.image).save(tmp_path / "images" / f"{k}.png")
    with open_session(tmp_path / "images", tmp_path / "out") as session:
        with pytest.raises(InputError, match="3 or more masks mended by hand; there are 0 yet"):
            learn_style(session)
        for k, scene in enumerate(scenes):
            wanted = annotate(scene.image, scene.points, params=truth)
            for number, label in enumerate(wanted.targets, start=1):
                session.do(k, {"do": "add", "x": label.point[1], "y": label.point[0]})
                now = session.open(k).board.labels.targets[number - 1]
                mask, plain = np.zeros(scene.image.shape, bool), np.zeros(scene.image.shape, bool)
                mask[label.window], plain[now.window] = label.mask, now.mask
                on, off = np.argwhere(mask & ~plain)[:, ::-1], np.argwhere(plain & ~mask)[:, ::-1]
                action = {"do": "brush", "target": number, "on": on.tolist(), "off": off.tolist()}
                session.do(k, action)
        assert session.n_mended >= 3
        learned = learn_style(session)
        assert learned.found.worth_using
        before, after = (
            np.mean([(m & e).sum() / (m | e).sum() for m, e in pairs])
            for pairs in (
                [(example.mended, example.before) for example in learned.examples],
                [(example.mended, example.after) for example in learned.examples],
            )
        )
        assert after > before + 0.05
        session.use(learned.settings)
        session.do(0, {"do": "unbrush", "target": 1})
        alone = annotate(scenes[0].image, scenes[0].points, params=learned.settings.params)
        assert np.array_equal(session.open(0).board.labels.targets[0].mask, alone.targets[0].mask)
    with open_session(tmp_path / "images", tmp_path / "out") as session:
        assert session.settings.stamp() == learned.settings.stamp()


def test_a_data_set_is_one_that_train_reads(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"
    with open_session(folder / "images", out) as session:
        with pytest.raises(InputError, match="no image has a target yet"):
            write_dataset(session, str(out))
        session.do(0, {"do": "add", "x": 30, "y": 20})
        session.do(1, {"do": "add", "x": 30, "y": 20})
        session.do(1, {"do": "accept"})
        made = write_dataset(session, str(out))
        assert (made.n_images, made.folder, made.run) == (1, str(out / "dataset-1"), str(out / "run-1"))
        (out / "run-2").mkdir()
        assert write_dataset(session, str(out)).folder == str(out / "dataset-3")
    (entry,) = open_dataset(made.folder).entries
    sample = read_sample(entry)
    assert sample.points.tolist() == [[20, 30]]
    assert sample.mask is not None
    assert sample.mask.any()
    assert made.command.startswith(f"pointlabel train {made.folder} --labels {made.folder}/masks")
