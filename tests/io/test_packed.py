"""Packed sequences and sets against Python's own, and what a list of images with its points takes."""

import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel.folder.plan import find_images
from pointlabel.io.packed import Packed, PackedRuns, SortedNames
from pointlabel.io.points.match import match_points

# Names as a file system has them: bytes that are no UTF-8 come as lone surrogates.
NAMES = st.text(st.characters(exclude_categories=[], exclude_characters="\0"), max_size=8)
ITEMS = st.lists(st.one_of(NAMES, st.integers(), st.tuples(st.floats(allow_nan=False), st.none())), max_size=200)


@given(ITEMS, st.slices(200))
@pytest.mark.parametrize("kind", [Packed, PackedRuns])
def test_a_packed_sequence_is_as_the_list_of_its_items(kind, items, part):
    packed = pickle.loads(pickle.dumps(kind(items)))
    assert len(packed) == len(items)
    assert list(packed) == items
    assert list(packed[part]) == items[part]
    assert [packed[-k] for k in range(1, len(items) + 1)] == items[::-1]
    for k in (len(items), -len(items) - 1):
        with pytest.raises(IndexError):
            packed[k]


@given(st.lists(st.integers(), max_size=20))
def test_what_is_put_in_is_made_into_items(numbers):
    packed = Packed(numbers, str)
    packed.append(7)
    assert list(packed) == [*map(str, numbers), "7"]


@given(st.sets(NAMES), st.sets(NAMES))
def test_packed_names_are_as_a_set_in_its_order(one, other):
    names = SortedNames.of(one)
    assert SortedNames.of(names) is names
    assert list(names) == sorted(one)
    assert names == one
    assert names & other == one & other
    assert [name in names for name in (*one, *other, 7)] == [*(name in one for name in (*one, *other)), False]
    assert [names.position(name) for name in sorted(one)] == list(range(len(one)))


def test_a_list_of_images_with_their_points_takes_little_memory(tmp_path):
    n = 3000
    (tmp_path / "images").mkdir()
    for k in range(n):
        (tmp_path / f"images/{k:06}.png").touch()
    rows = "".join(f"{k:06}.png,{k % 640}.5,7\n{k:06}.png,9,{k % 512}\n" for k in range(n))
    (tmp_path / "clicks.csv").write_text(f"image,x,y\n{rows}")
    tracemalloc.start()
    try:
        matched = match_points(find_images([str(tmp_path / "images")], "", "out"), tmp_path / "clicks.csv")
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(matched.bound.entries) == n
    assert kept / n < 350  # bytes; as Python's own objects 1,500
    assert peak / n < 700 + len(str(tmp_path))
