"""Padding by reflection: numpy's values, gradients, nothing done where nothing is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pointlabel.detectors.padding import cut_back, pad_to_multiple


@pytest.mark.parametrize("height", [1, 2, 3, 15, 16, 17])
@pytest.mark.parametrize("width", [1, 5, 32])
def test_values_are_those_of_numpy(rng, height, width):
    image = rng.random((2, 1, height, width))
    bottom, right = -height % 16, -width % 16
    expected = np.pad(image, ((0, 0), (0, 0), (0, bottom), (0, right)), mode="reflect")
    padded = pad_to_multiple(torch.from_numpy(image), 16)
    assert np.array_equal(padded.numpy(), expected)
    assert np.array_equal(cut_back(padded, (height, width)).numpy(), image)


def test_no_copy_where_nothing_is_missing():
    image = torch.rand(1, 1, 32, 16)
    assert pad_to_multiple(image, 16) is image


def test_gradients():
    image = torch.rand(1, 1, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pad_to_multiple(x, 4), image)
