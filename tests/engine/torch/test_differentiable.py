"""The differentiable engine: its hard limit is the Numba engine, its gradients are those of finite differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.autograd import gradcheck

from pointlabel._checks import pixel_of
from pointlabel.engine.default.heat import heat_vote
from pointlabel.engine.default.label import WindowLabel, cut_label, label_peak
from pointlabel.engine.default.params import N_STYLE, DefaultParams
from pointlabel.engine.default.refine import refine
from pointlabel.engine.default.style import styled_weights
from pointlabel.engine.default.weights import load_weights
from pointlabel.engine.default.window import cut_window
from pointlabel.engine.torch import DifferentiableEngine, batch_windows, label_windows
from pointlabel.engine.torch.differentiable import weights_as_tensors
from pointlabel.errors import InputError
from pointlabel.methods.peaks import find_peak
from pointlabel.synthetic import draw_scene
from tests.real_data import real_samples

STYLED = DefaultParams(
    style=tuple(np.random.default_rng(0).uniform(-1, 1, N_STYLE).tolist()),
    loosest=0.02,
)


def drawn_views(n: int, params: DefaultParams, seed: int = 11) -> list[WindowLabel]:
    weights = styled_weights(params)
    out: list[WindowLabel] = []
    while len(out) < n:
        scene = draw_scene(seed=seed + len(out), shape=(96, 128), n_targets=3)
        peaks = (find_peak(scene.image, pixel) for pixel in pixel_of(scene.points, (96, 128)))
        out += [label_peak(scene.image, peak, params, weights) for peak in peaks]
    return out[:n]


def engine_soft(view: WindowLabel, params: DefaultParams) -> np.ndarray:
    """What the engine gives before it decides whether there is a target at all."""
    field = heat_vote(view.window, view.vote.field, params)
    weights = styled_weights(params).refine
    soft = refine(view.window, view.regions, view.vote, field, weights) if params.refine else field
    return np.where(view.window.inside, soft, 0)


def largest_difference(views: list[WindowLabel], params: DefaultParams) -> float:
    worst = 0.0
    for first in range(0, len(views), 40):
        part = views[first : first + 40]
        batch = batch_windows([v.window for v in part], params, regions=[v.regions for v in part])
        out = label_windows(batch, params=params, rounded=True).soft[:, 0].numpy()
        worst = max(worst, *(np.abs(ours - engine_soft(v, params)).max() for ours, v in zip(out, part, strict=True)))
    return worst


@pytest.mark.parametrize(
    "params",
    [
        DefaultParams(),
        DefaultParams(n_scales=2, temperature=1.0),
        DefaultParams(n_scales=1, n_steps=0),
        DefaultParams(refine=False, rho=0.8, n_steps=20, beta=9.0, alpha=0.3),
        STYLED,
    ],
    ids=["default", "two scales", "one scale", "vote and heat", "styled"],
)
def test_hard_limit_is_the_engine_on_drawn_windows(params):
    assert largest_difference(drawn_views(30, params), params) <= 1e-4


def test_hard_limit_is_the_engine_on_500_real_windows(data):
    params, weights = DefaultParams(), load_weights()
    views: list[WindowLabel] = []
    for name, wanted in (("SIRST-v1", 170), ("NUDT-SIRST", 340), ("IRSTD-1k", 500)):
        for image, points, _, _ in real_samples(data / name, every=2):
            peaks = (find_peak(image, pixel) for pixel in pixel_of(points, (image.shape[0], image.shape[1])))
            views += [label_peak(image, peak, params, weights) for peak in peaks]
            if len(views) >= wanted:
                break
    assert len(views) >= 500
    assert largest_difference(views[:500], params) <= 1e-4


@pytest.mark.parametrize("tightness", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_border_is_the_engines(tightness):
    views = [view for view in drawn_views(12, DefaultParams()) if view.found]
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    out = label_windows(batch, tightness=tightness, rounded=True)
    for k, view in enumerate(views):
        hard = cut_label(view, tightness, DefaultParams()).mask
        ours = (out.border[k, 0] >= 0).numpy()
        assert ours[hard].mean() > 0.99  # the engine keeps the component of the peak, which ours contains


@pytest.mark.parametrize("tightness", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("border_px", [-1.0, 1.0, 2.3])
def test_a_style_moves_the_border_as_the_engine_does(border_px, tightness):
    params = replace(STYLED, border_px=border_px)
    views = [view for view in drawn_views(12, params) if view.found]
    assert views
    batch = batch_windows([v.window for v in views], params, regions=[v.regions for v in views])
    out = label_windows(batch, tightness=tightness, params=params, rounded=True)
    for k, view in enumerate(views):
        hard = cut_label(view, tightness, params)
        ours = (out.border[k, 0] >= 0).numpy()
        ours[32, 32] = True  # the point itself always belongs
        labels, _ = ndimage.label(ours, np.ones((3, 3)))
        np.testing.assert_array_equal(labels == labels[32, 32], hard.mask)
        np.testing.assert_allclose(out.soft[k, 0].numpy(), hard.soft, atol=1e-4)


def test_the_module_keeps_its_style():
    params = replace(STYLED, border_px=1.0)
    views = drawn_views(3, params)
    batch = batch_windows([v.window for v in views], params, regions=[v.regions for v in views])
    module = DifferentiableEngine(params)
    torch.testing.assert_close(module(batch).soft, label_windows(batch, params=params).soft)
    plain = label_windows(batch, weights=weights_as_tensors(load_weights(), batch.image)).soft
    assert not torch.allclose(module(batch).soft, plain)


def test_soft_mask_tends_to_the_hard_one():
    views = drawn_views(6, DefaultParams())
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    sharp = label_windows(batch, border_width=1e-6)
    clear = sharp.border.abs() > 1e-4
    torch.testing.assert_close(sharp.mask[clear], (sharp.border[clear] >= 0).to(sharp.mask))


def soft_iou(mask, truth):
    both = (mask * truth).sum((1, 2, 3))
    return (both / (mask.sum((1, 2, 3)) + truth.sum((1, 2, 3)) - both)).mean()


def test_gradcheck_of_theta_score_and_image():
    views = drawn_views(2, DefaultParams(), seed=4)
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    weights = weights_as_tensors(load_weights(), batch.image)
    theta = torch.tensor([3.2, 6.0, 0.6, 0.3], dtype=torch.float64, requires_grad=True)
    tightness = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    score = weights["score"].clone().requires_grad_()
    patch = torch.zeros(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)

    def run(theta, tightness, score, patch):
        named = dict(zip(("d0", "beta", "alpha", "rho"), theta, strict=True))
        image = batch.image + torch.nn.functional.pad(patch, (33, 29, 34, 28)) * 1000
        moved = type(batch)(image, *(getattr(batch, n) for n in batch.__slots__[1:]))
        out = label_windows(
            moved, weights={**weights, "score": score}, theta=named, tightness=tightness, border_width=0.2
        )
        return soft_iou(out.mask, (out.mask.detach() > 0.5).double()), (out.soft**2).sum()

    assert gradcheck(run, (theta, tightness, score, patch), eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


def test_gradcheck_of_a_border_that_is_moved():
    params = DefaultParams(border_px=1.0)
    views = drawn_views(2, params, seed=4)
    batch = batch_windows([v.window for v in views], params, regions=[v.regions for v in views])
    theta = torch.tensor([3.2, 6.0], dtype=torch.float64, requires_grad=True)

    def run(theta):
        out = label_windows(batch, theta={"d0": theta[0], "beta": theta[1]}, params=params, border_width=0.2)
        return out.mask.sum(), (out.soft**2).sum()

    assert gradcheck(run, (theta,), eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


def test_candidates_without_a_vote_leave_gradients_true():
    views = drawn_views(3, DefaultParams(), seed=4)
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    bad = batch.bad | (torch.rand(batch.bad.shape, generator=torch.Generator().manual_seed(0)) < 0.3)
    weights = weights_as_tensors(load_weights(), batch.image)
    score = weights["score"].clone().requires_grad_()

    def run(score):
        out = label_windows(replace(batch, bad=bad), weights={**weights, "score": score})
        return (out.soft**2).sum(), out.summary

    assert gradcheck(run, (score,), eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


def test_gradient_of_a_real_loss_is_that_of_finite_differences(data):
    image, points, mask, _ = next(iter(real_samples(data / "SIRST-v1")))
    peak = find_peak(image, pixel_of(points, mask.shape)[0])
    window = cut_window(image, peak)
    truth = np.pad(mask, 32)[peak[0] : peak[0] + 65, peak[1] : peak[1] + 65]
    target = torch.from_numpy(truth.astype(float))[None, None]
    engine = DifferentiableEngine(tightness=0.45, learn_refinement=True)
    batch = batch_windows([window])

    def loss():
        return 1 - soft_iou(engine(batch).mask, target)

    loss().backward()
    for parameter in engine.parameters():
        assert parameter.grad is not None
        direction = parameter.grad / parameter.grad.norm().clamp(min=1e-12)
        with torch.no_grad():
            values = []
            for sign in (1, -1):
                parameter.add_(sign * 1e-5 * direction)
                values.append(float(loss()))
                parameter.sub_(sign * 1e-5 * direction)
        slope = (values[0] - values[1]) / 2e-5
        assert slope == pytest.approx(float(parameter.grad.norm()), rel=1e-3, abs=1e-7)


def test_module_starts_as_the_function():
    views = drawn_views(4, DefaultParams())
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    module, function = DifferentiableEngine()(batch), label_windows(batch)
    torch.testing.assert_close(module.soft, function.soft)
    torch.testing.assert_close(module.border, function.border)


def test_float32_is_near_float64():
    views = drawn_views(10, DefaultParams())
    batch = batch_windows([v.window for v in views], regions=[v.regions for v in views])
    single = label_windows(batch.to(dtype=torch.float32)).soft
    assert single.dtype == DifferentiableEngine()(batch.to(dtype=torch.float32)).mask.dtype == torch.float32
    torch.testing.assert_close(single.double(), label_windows(batch).soft, atol=2e-3, rtol=0)


def test_a_window_without_candidates_gives_a_finite_nothing():
    window = cut_window(np.zeros((80, 80)), (40, 40))
    out = label_windows(batch_windows([window, window]))
    assert torch.isfinite(out.soft).all()
    assert float(out.field.abs().max()) == 0


def test_no_windows_are_refused():
    with pytest.raises(InputError, match="windows must hold at least one window"):
        batch_windows([])
