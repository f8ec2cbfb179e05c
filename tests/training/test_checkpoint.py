"""States as files."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pointlabel import InputError
from pointlabel.training.checkpoint import decode_state, encode_state, read_checkpoint, write_checkpoint

pytestmark = pytest.mark.slow


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return first == second and type(first) is type(second)


STATE = {
    "net": {"a.weight": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)},
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}, 7: {"step": torch.tensor(2.0)}}, "lr": [0.1, None, True]},
    "generator": torch.get_rng_state(),
    "empty": {"list": [], "dict": {}, "tensor": torch.zeros(0, dtype=torch.float16)},
    "word": "__tensor__",
    "number": 0.1,
}


def test_a_nested_state_comes_back():
    assert _same(decode_state(encode_state(STATE), "here"), STATE)
    assert encode_state(STATE) == encode_state(STATE)


def test_tensors_that_share_memory_are_kept_apart():
    tensor = torch.arange(4.0)
    back = decode_state(encode_state({"a": tensor, "b": tensor[1:3], "c": tensor.reshape(2, 2).T}), "here")
    assert back["b"].tolist() == [1, 2]
    assert back["c"].tolist() == [[0, 2], [1, 3]]


def test_an_adamw_goes_on_as_if_nothing_had_been():
    def steps(weight, optimizer, n):
        for _ in range(n):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

    first = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.AdamW([first], lr=0.1)
    steps(first, optimizer, 3)
    second = first.detach().clone().requires_grad_()
    other = torch.optim.AdamW([second], lr=0.5)
    other.load_state_dict(decode_state(encode_state(optimizer.state_dict()), "here"))
    steps(first, optimizer, 3)
    steps(second, other, 3)
    assert torch.equal(first, second)


def test_what_is_no_checkpoint_gets_one_sentence(tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(str(path), STATE)
    whole = path.read_bytes()
    for bad in (whole[: len(whole) // 2], b"not a checkpoint at all", whole[8:]):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=r"last\.safetensors: not a checkpoint of this program, or damaged"):
            read_checkpoint(str(path))


def test_a_state_holds_plain_values_only():
    with pytest.raises(InputError, match="got set at /options/names"):
        encode_state({"options": {"names": {"a"}}})
