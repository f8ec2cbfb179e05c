"""The sixteen features, and the weights that the meta-classifier makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointlabel.training.bilevel.difficulty import prior_difficulty, standardised_difficulty
from pointlabel.training.bilevel.dynamics import FEATURES, residuals, standardise, training_dynamics
from pointlabel.training.bilevel.meta import MetaClassifier

SIDE = 16


def describe(logits, label, reference=None, **changes):
    n = len(logits)
    values = {
        "reference": reference,
        "diffused": logits.sigmoid(),
        "running_loss": torch.zeros(n),
        "difficulty": torch.zeros(n),
        **changes,
    }
    features = training_dynamics(logits, label, **values)
    return dict(zip(FEATURES, features.T, strict=True))


def square(first, last, n=1):
    out = torch.zeros(n, 1, SIDE, SIDE)
    out[..., first:last, first:last] = 1
    return out


@pytest.mark.parametrize("level", [-200.0, 0.0, 200.0])
@pytest.mark.parametrize("label", [torch.zeros(3, 1, SIDE, SIDE), torch.ones(3, 1, SIDE, SIDE), square(4, 9, 3)])
def test_features_are_finite_on_empty_and_full_maps(level, label):
    logits = torch.full_like(label, level)
    for reference in (None, torch.zeros(1, 1, SIDE, SIDE), residuals(logits, label).mean(0, keepdim=True)):
        features = torch.stack(list(describe(logits, label, reference).values()))
        assert features.isfinite().all()
        assert standardise(features.T).abs().max() == 0  # three equal samples do not differ


def test_features_of_a_prediction_that_is_known():
    label = square(4, 8)
    prediction = square(4, 10)  # 36 px, 16 of them true
    logits = (prediction * 2 - 1) * 40
    found = describe(logits, label, residuals(logits, label), running_loss=torch.tensor([0.3]))
    assert found["foreground ratio"].item() == 36 / 256
    assert found["dice with the label"].item() == pytest.approx(2 * 16 / (36 + 16))
    assert found["L1"].item() == pytest.approx(20 / 256)
    assert found["L2"].item() == pytest.approx(20 / 256)
    assert found["top 10 % L1"].item() == pytest.approx(20 / 25)
    assert found["mean |logit|"].item() == 40
    assert found["entropy"].item() == pytest.approx(0, abs=1e-6)
    # The border band of a 4 x 4 square: 6 x 6 less the inner 2 x 2; nine of its pixels are predicted wrongly.
    assert found["border L1"].item() == pytest.approx(9 / 32)
    assert found["agreement, cosine"].item() == pytest.approx(1)
    assert found["agreement, dot"].item() == pytest.approx(20 / 256)
    assert found["agreement, sign"].item() == 1
    assert found["L1 to the diffused prediction"].item() == pytest.approx(20 / 256)
    assert found["running loss"].item() == pytest.approx(0.3)


def test_two_empty_masks_agree():
    empty = torch.zeros(1, 1, SIDE, SIDE)
    assert describe(empty - 20, empty)["dice with the label"].item() == 1
    assert describe(empty + 20, empty)["dice with the label"].item() == 0


def test_weights_start_at_one_and_keep_the_mean_one():
    torch.manual_seed(0)
    meta = MetaClassifier()
    features = torch.randn(7, len(FEATURES))
    assert torch.equal(meta(features), torch.ones(7))
    torch.nn.init.normal_(meta.out.weight)
    weights = meta(features)
    assert weights.mean().item() == pytest.approx(1)
    assert weights.min() > 0
    assert weights.std() > 0.1
    assert torch.allclose(meta(features * 5 + 3), weights, atol=1e-4)  # the features' units do not matter
    torch.nn.init.constant_(meta.out.bias, -1e4)
    assert meta(features).isfinite().all()


def test_one_sample_has_the_weight_one():
    meta = MetaClassifier()
    torch.nn.init.normal_(meta.out.weight)
    assert meta(torch.randn(1, len(FEATURES))).item() == pytest.approx(1)


def test_a_faint_target_is_harder_than_a_bright_one(rng):
    label = square(5, 9)[0, 0].numpy()
    noise = rng.normal(0.3, 0.02, label.shape).astype(np.float32)
    faint, bright = (prior_difficulty(noise + height * label, label) for height in (0.02, 0.2))
    assert 1 / 13 <= bright < faint < 1
    assert prior_difficulty(noise, np.zeros_like(label)) == 1
    assert standardised_difficulty([0.1, 0.1]).tolist() == [0, 0]
    assert standardised_difficulty([0.1, 0.3]).tolist() == pytest.approx([-1, 1])
