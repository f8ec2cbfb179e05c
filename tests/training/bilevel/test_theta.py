"""The diffusion of predictions: stable at every theta in reach, learned within its range, handed to the labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointlabel.baselines.d2d.params import DiffusionParams
from pointlabel.engine.torch import soft_conductance
from pointlabel.engine.torch.diffusion import largest_outflow
from pointlabel.methods import get_method
from pointlabel.training.bilevel.published import PublishedDiffusedPrediction
from pointlabel.training.bilevel.theta import (
    N_STEPS,
    PUBLISHED,
    STEP,
    DiffusedPrediction,
    stable_steps,
    start_of,
    takes_theta,
    with_theta,
)
from tests.twins import bilevel as twin


def spot(level=0.9):
    rows = torch.arange(24.0)
    squared = (rows[:, None] - 11) ** 2 + (rows - 12) ** 2
    return (level * torch.exp(-squared / 8))[None, None]


@pytest.mark.parametrize("d0", [0.01, 1.0, 3.2, 50.0])
def test_steps_keep_the_published_time_and_are_stable_at_the_largest_d0(d0):
    n_steps, tau = stable_steps(d0)
    assert n_steps * tau == pytest.approx(N_STEPS * STEP)
    flat = torch.zeros(1, 1, 8, 8)  # the medium that conducts best
    east, south = soft_conductance(flat, d0=1.3 * d0)
    assert tau * float(largest_outflow(east, south)) <= 1


def test_the_published_step_itself_would_not_be_stable():
    east, south = soft_conductance(torch.zeros(1, 1, 8, 8), d0=PUBLISHED["d0"])
    assert STEP * float(largest_outflow(east, south)) > 1


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("kind", ["soft-iou", "bce"])
def test_theta_stays_in_range_however_long_it_is_pushed(sign, kind):
    diffusion = DiffusedPrediction(dict(PUBLISHED))
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=3.0)
    prediction, label = spot(), (spot() > 0.5).float()
    for step in range(10):
        optimizer.zero_grad()
        (sign * diffusion.loss(prediction, label, kind)).backward()
        assert diffusion.raw.grad is not None
        assert step > 0 or (diffusion.raw.grad != 0).all()
        optimizer.step()
    theta = diffusion.values()
    assert 0.7 * 3.2 - 1e-5 <= theta["d0"] <= 1.3 * 3.2 + 1e-5
    assert 0.7 * 6 - 1e-5 <= theta["beta"] <= 1.3 * 6 + 1e-5
    assert 0.55 - 1e-6 <= theta["alpha"] <= 0.65 + 1e-6
    assert 0.79 - 1e-6 <= theta["rho"] <= 0.89 + 1e-6
    assert any(abs(theta[name] - PUBLISHED[name]) > 1e-3 for name in PUBLISHED)
    assert diffusion.diffuse(prediction).isfinite().all()


def test_a_step_of_theta_lowers_its_loss():
    diffusion = DiffusedPrediction(dict(PUBLISHED))
    optimizer = torch.optim.Adam(diffusion.parameters(), lr=1e-2)
    prediction, label = spot(), (spot() > 0.3).float()
    before = diffusion.loss(prediction, label)
    before.backward()
    optimizer.step()
    assert diffusion.loss(prediction, label) < before


def test_the_diffused_prediction_keeps_the_height_of_the_prediction():
    diffusion = DiffusedPrediction(dict(PUBLISHED))
    found = diffusion.diffuse(torch.cat([spot(0.9), spot(0.2), torch.zeros(1, 1, 24, 24)]))
    assert found.amax((1, 2, 3)).tolist() == pytest.approx([0.9, 0.2, 0.0])
    assert found.min() >= 0
    # Heat has left the peak for what surrounds it.
    assert (found[0] / 0.9)[0, 11, 17] > (spot(0.9) / 0.9)[0, 0, 11, 17]


def test_the_methods_parameters_take_theta():
    params = get_method("diffusion").params()
    assert isinstance(params, DiffusionParams)
    start = start_of(params)
    assert start == {"d0": 3.2, "beta": 12.0, "alpha": 0.9, "rho": 0.65}
    assert with_theta(params, start) == params
    moved = with_theta(params, {"d0": 3.2 * 1.25, "beta": 13.0, "alpha": 0.95, "rho": 0.7})
    assert (moved.beta, moved.alpha, moved.rho) == (13.0, 0.95, 0.7)
    assert moved.n_steps == round(params.n_steps * 1.25)
    assert moved.level == params.level


@pytest.mark.parametrize(("method", "rho"), [("heat", 1.0), ("superpixel", 0.0)])
def test_what_is_left_out_of_the_fusion_stays_out(method, rho):
    params = get_method(method).params()
    theta = DiffusedPrediction(start_of(params))
    with torch.no_grad():
        theta.raw.fill_(-5.0 if rho else 5.0)
    assert with_theta(params, theta.values()).rho == rho


def test_methods_without_a_diffusion_have_no_theta():
    assert not takes_theta(get_method("mclc").params())
    assert not takes_theta(get_method("threshold").params())
    assert takes_theta(get_method("default").params())
    assert start_of(get_method("threshold").params()) == PUBLISHED


@pytest.mark.parametrize("method", ["default", "diffusion", "heat", "d2d-paper", "d2d-code"])
def test_every_theta_in_reach_is_one_the_method_takes(method):
    params = get_method(method).params()
    diffusion = DiffusedPrediction(start_of(params))
    for signs in np.array(np.meshgrid(*[[-20.0, 20.0]] * 4)).reshape(4, -1).T:
        with torch.no_grad():
            diffusion.raw.copy_(torch.from_numpy(signs))
        assert with_theta(params, diffusion.values()).beta == pytest.approx(params.beta * (1 + 0.3 * np.sign(signs[1])))


@pytest.mark.parametrize("turn", [-20.0, 0.0, 0.3])
def test_the_published_diffusion_of_a_prediction_is_that_of_its_twin(rng, turn):
    diffusion = PublishedDiffusedPrediction(dict(PUBLISHED)).double()
    with torch.no_grad():
        diffusion.raw.fill_(turn)
    noise = torch.from_numpy(rng.uniform(0, 1, (2, 1, 24, 32))) ** 4
    maps = torch.cat([noise, torch.nn.functional.pad(spot().double(), (4, 4)), torch.zeros(1, 1, 24, 32).double()])
    found = diffusion.diffuse(maps).detach().numpy()
    for each, prediction in zip(found, maps.numpy(), strict=True):
        np.testing.assert_allclose(each[0], twin.diffused(prediction[0], **diffusion.values()), atol=1e-5)


def test_the_published_diffusion_has_one_half_where_nothing_is_predicted_and_teaches_all_of_theta():
    diffusion = PublishedDiffusedPrediction(dict(PUBLISHED))
    found = diffusion.diffuse(torch.cat([spot(), torch.zeros(1, 1, 24, 24)]))
    assert found[0, 0, 0, 0].item() == pytest.approx(0.5, abs=1e-3)
    assert found[1].flatten().tolist() == pytest.approx([0.5] * 576)
    assert 0.5 < found.max() < 0.74
    diffusion.loss(spot(), (spot() > 0.5).float(), "bce").backward()
    assert diffusion.raw.grad is not None
    assert (diffusion.raw.grad != 0).all()
