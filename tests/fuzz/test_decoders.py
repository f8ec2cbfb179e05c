"""Damaged images end in an image or in one sentence, whatever is damaged."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from pointlabel.errors import PointLabelError
from pointlabel.io.decode import decode_channels, decode_image
from tests.fuzz import seeds
from tests.fuzz.mutate import mutate

N_INPUTS = 10_000


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_image_is_an_image_or_one_sentence(part, capfd):
    files = seeds.images()
    n_read, sentences = 0, []
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
            sentences.append(str(error))
        else:
            assert image.size > 0
            assert image.dtype.kind in "uif"
            assert image.dtype.isnative
            n_read += 1
    bad = [text for text in sentences if not text.startswith("damaged.x: ") or "\n" in text]
    assert bad == []
    assert min(n_read, len(sentences)) > N_INPUTS // 40  # damage that is always or never seen tries nothing
    assert capfd.readouterr() == ("", "")


def test_whole_seeds_are_read():
    for data in seeds.images():
        image, _ = decode_image(data, "whole.x")
        assert isinstance(image, np.ndarray)
