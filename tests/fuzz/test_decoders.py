"""Damaged images end in an image or in one sentence, whatever is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from pointlabel.errors import PointLabelError
from pointlabel.io.decode import decode_channels, decode_image
from tests.fuzz import seeds
from tests.fuzz.mutate import mutate

N_INPUTS = 10_000


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_image_is_an_image_or_one_sentence(part, capfd):
    from random import Random

    files = seeds.images()
    n_read = n_refused = 0
    for number in range(part, N_INPUTS, 4):
        random = Random(number)
        data = mutate(files[number % len(files)], random, files)
        try:
            if number % 8 < 4:
                image, _ = decode_image(data, "damaged.x")
                assert image.ndim == 2
                assert image.flags.writeable
            else:
                image, _ = decode_channels(data, "damaged.x")
                assert image.ndim == 2 or image.shape[2:] == (3,)
        except PointLabelError as error:
            assert str(error).startswith("damaged.x: ")
            assert "\n" not in str(error)
            n_refused += 1
        else:
            assert image.size > 0
            assert image.dtype.kind in "uif"
            assert image.dtype.isnative
            n_read += 1
    assert min(n_read, n_refused) > N_INPUTS // 40  # damage that is always or never seen tries nothing
    assert capfd.readouterr() == ("", "")


def test_whole_seeds_are_read():
    for data in seeds.images():
        image, _ = decode_image(data, "whole.x")
        assert isinstance(image, np.ndarray)
