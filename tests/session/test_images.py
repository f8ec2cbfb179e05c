"""The list of images: its order, and what is said while files cannot be written."""

from __future__ import annotations

import time

from PIL import Image

from pointlabel.io.manifest import read_manifest
from pointlabel.session import open_session


def test_numbers_in_names_are_in_the_order_of_their_values_and_folders_stay_together(tmp_path):
    names = ["b/2.png", "b/10.png", "f10.png", "f9.png", "f9a.png", "g2-1.png", "g2-010.png", "10/1.png", "9/1.png"]
    for name in names:
        (tmp_path / "frames" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16)).save(tmp_path / "frames" / name)
    with open_session(tmp_path / "frames", tmp_path / "out") as session:
        shown = [item.file.shown for item in session.items]
        for item in session.items:
            session.do(item.index, {"do": "add", "x": 5, "y": 5})
    order = ["f9.png", "f9a.png", "f10.png", "g2-1.png", "g2-010.png", "9/1.png", "10/1.png", "b/2.png", "b/10.png"]
    assert shown == order
    ids = [record["id"] for record in read_manifest(str(tmp_path / "out" / "manifest.jsonl"))]
    assert ids == sorted(name.removesuffix(".png") for name in names)  # as `annotate` writes it


def test_a_file_that_cannot_be_written_is_a_fault_until_it_can(draw_dataset, tmp_path):
    folder, out = draw_dataset(), tmp_path / "out"

    def wait(is_fault: bool) -> None:
        end = time.monotonic() + 60
        while (session.fault is not None) is not is_fault:
            assert time.monotonic() < end
            time.sleep(0.05)

    with open_session(folder / "images", out) as session:
        (out / "masks").write_text("in the way")
        session.do(0, {"do": "add", "x": 30, "y": 20})
        wait(True)
        assert session.fault == f"cannot create the folder {out / 'masks'} (File exists)"
        (out / "masks").unlink()
        wait(False)
        assert (out / "masks" / "0.png").exists()
