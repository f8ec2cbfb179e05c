"""Cells that a spreadsheet would compute are made harmless, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointlabel.io.csv_cells import harmless, plain


@given(st.text(st.one_of(st.sampled_from("'=-1"), st.characters())))
def test_cells_come_back_and_no_text_starts_like_a_formula(text):
    cell = harmless(text)
    assert plain(cell) == text
    if cell[:1] in ("=", "+", "-", "@"):
        float(cell)


@pytest.mark.parametrize(
    ("text", "cell"),
    [("=1+1", "'=1+1"), ("@a", "'@a"), ("-1.5", "-1.5"), ("+3e4", "+3e4"), ("-a", "'-a"), ("a=1", "a=1"), ("'a", "'a")],
)
def test_numbers_stay_numbers(text, cell):
    assert harmless(text) == cell
