"""SAM and SAM 2 over small models with random weights: what goes in, what comes out, what is missing, no network."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pointlabel import InputError, annotate, get_method
from pointlabel.baselines.sam import label as sam
from pointlabel.baselines.sam import models as sam_models
from pointlabel.baselines.sam.models import SAM, SAM2, Predictor, load_predictor
from pointlabel.cli.main import main
from pointlabel.errors import MissingExtraError
from pointlabel.io.points.images import point_image

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

BOTH = pytest.mark.parametrize("method", ["sam", "sam2"])
CONTEXTS = pytest.mark.parametrize("context", ["image", "window"])
DECODER = {"hidden_size": 16, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_depth": 2}
PROMPT = {"hidden_size": 16, "image_size": 64, "mask_input_channels": 4}


def small_sam():
    vision = transformers.SamVisionConfig(
        hidden_size=16,
        output_channels=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=64,
        patch_size=8,
        window_size=4,
        global_attn_indexes=[0],
        num_pos_feats=8,
        mlp_dim=16,
    )
    return transformers.SamModel(
        transformers.SamConfig(
            vision_config=vision,
            prompt_encoder_config=transformers.SamPromptEncoderConfig(**PROMPT, patch_size=8),
            mask_decoder_config=transformers.SamMaskDecoderConfig(**DECODER, iou_head_hidden_dim=16),
        )
    )


def small_sam2():
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )
    return transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config=vision,
            prompt_encoder_config=transformers.Sam2PromptEncoderConfig(**PROMPT, patch_size=16),
            mask_decoder_config=transformers.Sam2MaskDecoderConfig(**DECODER, iou_head_hidden_dim=16),
        )
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Saved models by the name of the method."""
    root = tmp_path_factory.mktemp("models")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small layers, and a machine that others use
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for name, make in (("sam", small_sam), ("sam2", small_sam2)):
            make().save_pretrained(root / name)
    yield {name: str(root / name) for name in ("sam", "sam2")}
    torch.set_num_threads(threads)
    load_predictor.cache_clear()


@pytest.fixture
def params(folders):
    """Build parameters with the saved model."""
    return lambda method, **changes: get_method(method).params(checkpoint=folders[method], **changes)


@BOTH
@CONTEXTS
def test_one_target_for_each_point(params, scene, method, context):
    labels = annotate(scene.image, scene.points, method=method, params=params(method, context=context))
    assert [target.point for target in labels.targets] == [tuple(point) for point in scene.points]
    for target in labels.targets:
        assert target.mask.any()
        assert target.soft.dtype == np.float32
        assert 0 <= target.soft.min() <= target.soft.max() <= 1
        assert 0 <= target.quality <= 1
        assert target.time_ms > 0
    again = annotate(scene.image, scene.points, method=method, params=params(method, context=context))
    np.testing.assert_array_equal(labels.instances(), again.instances())


@BOTH
@CONTEXTS
def test_order_scale_and_polarity_do_not_matter(params, scene, method, context):
    chosen = params(method, context=context)
    base = annotate(scene.image, scene.points, method=method, params=chosen).mask()
    for image, points, polarity in (
        (scene.image, scene.points[::-1], "bright"),
        (scene.image * 256.0 - 1024, scene.points, "bright"),
        (255 - scene.image, scene.points, "dark"),
    ):
        labels = annotate(image, points, method=method, params=chosen, polarity=polarity)
        np.testing.assert_array_equal(labels.mask(), base)


class Drawn:
    """Stands for a model: embeds an image as itself, answers with what a test has drawn."""

    def __init__(self, odds, scores):
        self.odds, self.scores, self.seen, self.points = odds, scores, [], []

    def get_image_embeddings(self, pixels):
        self.seen.append(pixels)
        return pixels

    def __call__(self, *, image_embeddings, input_points, multimask_output):
        assert multimask_output
        self.points.append(input_points)
        return type("Found", (), {"pred_masks": self.odds, "iou_scores": self.scores})


def predictor(model, keeps_aspect, side=64):
    return Predictor(model, side, keeps_aspect, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2), "cpu")


@pytest.mark.parametrize("keeps_aspect", [True, False])
def test_the_best_scored_mask_lands_where_it_was_drawn(monkeypatch, keeps_aspect):
    """A block of the 48 x 64 image, drawn as a model of 16 x 16 pixels would answer; other candidates are full."""
    rows = slice(4, 8) if keeps_aspect else slice(16 * 16 // 48, 16 * 32 // 48)
    odds = torch.full((1, 1, 3, 16, 16), 9.0)
    odds[0, 0, 1] = -9
    odds[0, 0, 1, rows, 8:12] = 9
    model = Drawn(odds, torch.tensor([[[0.2, 0.7, 0.6]]]))
    monkeypatch.setattr(sam, "load_predictor", lambda *key: predictor(model, keeps_aspect))
    image = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    (target,) = annotate(image, [(20, 40)], method="sam").targets
    found = np.zeros(image.shape, bool)
    found[target.window] = target.mask
    truth = np.zeros(image.shape, bool)
    truth[16:32, 32:48] = True
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    assert target.quality == pytest.approx(0.7)
    assert target.flags == ()


@pytest.mark.parametrize("shape", [(30, 64), (64, 30), (17, 17)])
def test_pixels_are_those_of_the_published_processor(rng, shape):
    pil = pytest.importorskip("transformers.models.sam.image_processing_pil_sam")
    image = rng.integers(0, 256, shape).astype(np.uint8)
    colour = np.repeat(image[..., None], 3, axis=2)
    mean, deviation = list(sam_models.MEAN), list(sam_models.DEVIATION)
    square = {"height": 64, "width": 64}
    processor = pil.SamImageProcessorPil(size={"longest_edge": 64}, pad_size=square)
    theirs = processor(images=colour, return_tensors="pt")["pixel_values"].numpy()
    ours = Predictor(None, 64, True, tuple(mean), tuple(deviation), "cpu").pixels(image.astype(np.float32) / 255)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1.1 / 255 / min(deviation))  # theirs rounds twice


@pytest.mark.parametrize("shape", [(30, 64), (64, 30), (17, 17)])
def test_masks_are_those_of_the_published_processor(rng, shape):
    pil = pytest.importorskip("transformers.models.sam.image_processing_pil_sam")
    odds = torch.from_numpy(rng.standard_normal((1, 1, 3, 16, 16)).astype(np.float32))
    ours = predictor(Drawn(odds, torch.tensor([[[0.0, 0.0, 1.0]]])), True)
    square = {"height": 64, "width": 64}
    processor = pil.SamImageProcessorPil(size={"longest_edge": 64}, pad_size=square)
    found, score = ours.segment(None, shape, (3, 4))
    (theirs,) = processor.post_process_masks([odds[0, :, 2:]], [shape], [ours._inner(shape)])
    np.testing.assert_array_equal(found > 0, theirs[0, 0])
    assert score == 1


def test_the_point_is_the_centre_of_its_pixel():
    model = Drawn(torch.zeros(1, 1, 3, 16, 16), torch.zeros(1, 1, 3))
    wide, square = predictor(model, True), predictor(model, False)
    wide.segment(None, (32, 16), (0, 15))
    square.segment(None, (32, 16), (0, 15))
    # The model adds half a pixel to (x, y) in its square of 64: centres 0.5 and 15.5 of the image lie at 1 and 31
    # where it is doubled, and at 62 where the short side is stretched by 4.
    np.testing.assert_allclose(model.points[0].numpy() + 0.5, [[[[31, 1]]]])
    np.testing.assert_allclose(model.points[1].numpy() + 0.5, [[[[62, 1]]]])


def test_an_image_is_embedded_once_and_a_window_for_each_point(monkeypatch, scene):
    model = Drawn(torch.ones(1, 1, 3, 16, 16), torch.zeros(1, 1, 3))
    monkeypatch.setattr(sam, "load_predictor", lambda *key: predictor(model, True))
    annotate(scene.image, scene.points, method="sam")
    assert len(model.seen) == 1
    params = get_method("sam").params(context="window", window_px=32)
    labels = annotate(scene.image, scene.points, method="sam", params=params)
    assert len(model.seen) == 1 + len(scene.points)
    assert all(target.mask.shape[0] <= 32 and target.mask.shape[1] <= 32 for target in labels.targets)
    assert all("touches_window" in target.flags for target in labels.targets)


def test_a_mask_without_a_pixel_and_pixels_that_are_not_finite(monkeypatch):
    model = Drawn(torch.full((1, 1, 3, 16, 16), -9.0), torch.zeros(1, 1, 3))
    monkeypatch.setattr(sam, "load_predictor", lambda *key: predictor(model, True))
    image = np.ones((20, 20))
    image[3, 3] = np.nan
    (target,) = annotate(image, [(5, 6)], method="sam").targets
    assert (target.area, target.origin, target.flags) == (1, (5, 6), ("empty", "nan"))
    model.odds = torch.full((1, 1, 3, 16, 16), 9.0)
    (target,) = annotate(image, [(5, 6)], method="sam").targets
    assert target.area == 399
    assert target.flags == ("clipped", "nan")


@BOTH
def test_a_model_is_loaded_once_a_process(params, scene, method, monkeypatch):
    load_predictor.cache_clear()
    for _ in range(2):
        annotate(scene.image, scene.points[:1], method=method, params=params(method))
    assert load_predictor.cache_info().misses == 1


@BOTH
def test_nothing_asks_the_network(params, folders, scene, method, monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a connection was asked for: {arguments}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_predictor.cache_clear()
    annotate(scene.image, scene.points, method=method, params=params(method))
    (Path(folders[method]) / "config.json").rename(Path(folders[method]) / "hidden")
    try:
        load_predictor.cache_clear()
        with pytest.raises(InputError, match=r"there is no model in this folder, config\.json is missing"):
            annotate(scene.image, scene.points, method=method, params=params(method))
    finally:
        (Path(folders[method]) / "hidden").rename(Path(folders[method]) / "config.json")


def test_settings_of_transformers_are_left_as_they_were(params, scene):
    from huggingface_hub import constants
    from transformers.utils import logging

    before = constants.HF_HUB_OFFLINE, logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_predictor.cache_clear()
    annotate(scene.image, scene.points[:1], method="sam", params=params("sam"))
    assert before == (constants.HF_HUB_OFFLINE, logging.get_verbosity(), logging.is_progress_bar_enabled())


@BOTH
def test_missing_things_get_one_sentence(folders, scene, method, monkeypatch, tmp_path):
    other = {"sam": "sam2", "sam2": "sam"}[method]
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/config.json").write_text(json.dumps({"model_type": method}))
    for folder, sentence in (
        ("", f"method {method} needs a trained model on this machine: `checkpoint`, a folder"),
        ("nowhere", f"checkpoint must be a folder with a model of type {method}, got nowhere"),
        (str(tmp_path), r"there is no model in this folder, config\.json is missing"),
        (str(tmp_path / "bare"), r"there are no weights in this folder, \*\.safetensors is missing"),
        (folders[other], f"holds a model of type {other}, method {method} needs {method}"),
    ):
        with pytest.raises(InputError, match=sentence):
            annotate(scene.image, scene.points, method=method, params=get_method(method).params(checkpoint=folder))
    for package in ("transformers", "torch"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            load_predictor.cache_clear()
            with pytest.raises(
                MissingExtraError, match=rf"method {method} needs {package}, not installed; pip install"
            ):
                annotate(scene.image, scene.points, method=method)


def test_damaged_and_incomplete_weights_are_named(folders, scene, tmp_path):
    from safetensors.torch import load_file, save_file

    place = tmp_path / "model"
    shutil.copytree(folders["sam"], place)
    params = get_method("sam").params(checkpoint=str(place))
    weights = load_file(place / "model.safetensors")
    name = sorted(key for key in weights if key.startswith("mask_decoder"))[0]
    save_file(
        {key: value for key, value in weights.items() if key != name}, place / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(InputError, match=f"1 weights of the model are missing, the first is {name}"):
        annotate(scene.image, scene.points, method="sam", params=params)
    (place / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="the model cannot be loaded"):
        annotate(scene.image, scene.points, method="sam", params=params)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there(params, scene):
    with pytest.raises(InputError, match="device cuda: torch finds no CUDA device on this machine; use cpu"):
        annotate(scene.image, scene.points, method="sam", params=params("sam", device="cuda"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"context": "crop"}, r"SamParams\.context must be one of image, window, got 'crop'"),
        ({"window_px": 4}, r"SamParams\.window_px must lie in \[8, 4096\], got 4"),
        ({"device": "tpu"}, r"SamParams\.device must be one of cpu, cuda, got 'tpu'"),
    ],
)
def test_bad_parameters_are_named(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        get_method("sam").params(**changes)


def test_no_points_need_no_model():
    assert annotate(np.zeros((4, 6)), [], method="sam").targets == ()


def test_families_name_classes_that_exist(tmp_path):
    for family in (SAM, SAM2):
        assert getattr(transformers, family.class_name) is not None
    (tmp_path / "config.json").write_text('{"model_type": "any"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"method sam needs a newer transformers than"):
        load_predictor(replace(SAM, class_name="Sam9Model", model_types=("any",)), str(tmp_path), "cpu")


@BOTH
def test_the_command(folders, scene, tmp_path, monkeypatch, method):
    monkeypatch.chdir(tmp_path)
    for name in ("images", "points"):
        (tmp_path / name).mkdir()
    Image.fromarray(scene.image).save("images/a.png")
    point_image([(row, column) for row, column in np.round(scene.points)], scene.image.shape).save("points/a.png")
    words = ["annotate", "images", "-p", "points", "-o", "out", "--method", method]
    missing = CliRunner().invoke(main, words)
    assert missing.exit_code == 2
    assert missing.stderr == (f"Error: method {method} needs a trained model on this machine: --checkpoint, a folder\n")
    assert not Path("out").exists()
    done = CliRunner().invoke(main, [*words, "--checkpoint", folders[method], "--set", "context=window"])
    assert done.exit_code == 0, done.stderr
    line = json.loads(Path("out/manifest.jsonl").read_text())
    assert line["params"] == {"checkpoint": folders[method], "context": "window", "window_px": 64, "device": "cpu"}
    refused = CliRunner().invoke(main, [*words[:-1], "threshold", "--checkpoint", "x"])
    assert "method threshold has no checkpoint; leave --checkpoint out" in refused.stderr
