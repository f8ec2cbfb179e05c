"""Damaged files of every kind but images end in a result or in one sentence."""

from __future__ import annotations

from random import Random

import pytest

from pointlabel.errors import PointLabelError
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS

#: Inputs of each reader; those of whole networks and archives take milliseconds each.
N_INPUTS = dict.fromkeys(READERS, 100) | {"weights": 30, "onnx": 8, "config": 300, "point files": 1500, "table": 500}
#: These leave out what is damaged, or refuse all.
NEVER_REFUSE = ("manifest", "log", "config", "ledger", "prediction", "run masks", "layout", "onnx")


@pytest.mark.parametrize("name", [name for name in READERS if name != "images"])
def test_a_damaged_file_is_read_or_one_sentence(name, tmp_path):
    reader, path = READERS[name], tmp_path / f"damaged{READERS[name].suffix}"
    files = reader.seeds()
    for whole in files:
        path.write_bytes(whole)
        reader.read(str(path))
    refusals = []
    for number in range(N_INPUTS[name]):
        random = Random(f"{name} {number}")
        path.write_bytes(mutate(files[number % len(files)], random, files))
        try:
            reader.read(str(path))
        except PointLabelError as error:
            refusals.append(str(error))
    assert [text for text in refusals if "\n" in text or not text.strip()] == []
    assert refusals or name in NEVER_REFUSE
