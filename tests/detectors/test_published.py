"""Checkpoints as the field writes them: what is read, what is refused, how names find their place."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from pointlabel.detectors import DETECTORS, build
from pointlabel.detectors.published import import_published, our_name
from pointlabel.detectors.published_file import read_published
from pointlabel.detectors.weights import load_weights, weights_to_bytes
from pointlabel.errors import InputError

# Names as the authors' code has them, and the tensors here that they are.
PUBLISHED = {
    "mlclnet": {
        "stage.layer1.3.weight": "encoder.stem.1.0.weight",
        "stage.layer1.4.running_var": "encoder.stem.1.1.running_var",
        "stage.resnet1_3.layer.3.weight": "encoder.levels.0.2.body.1.0.weight",
        "stage.resnet2_1.layer1.0.weight": "encoder.levels.1.0.body.0.0.weight",
        "stage.resnet2_1.layer1.4.bias": "encoder.levels.1.0.body.2.0.bias",
        "stage.resnet2_1.layer1.5.weight": "encoder.levels.1.0.body.2.1.weight",
        "stage.resnet3_1.layer2.1.bias": "encoder.levels.2.0.shortcut.1.bias",
        "mlcl3.layer2.2.weight": "contrasts.2.branches.1.2.weight",
        "mlcl1.conv.bias": "contrasts.0.merge.bias",
        "conv2.0.weight": "widen.1.0.weight",
        "layer.2.bias": "head.2.bias",
    },
    "alclnet": {
        "stage.resnet5_2.layer.1.weight": "encoder.levels.4.1.body.0.1.weight",
        "lcl4.layer1.2.weight": "contrasts.3.2.weight",
        "sbam4.hl_layer.1.weight": "gates.3.narrow.0.weight",
        "sbam1.hl_layer.2.running_mean": "gates.0.narrow.1.running_mean",
        "sbam2.ll_layer.0.bias": "gates.1.gate.0.bias",
        "sbam2.ll_layer.1.bias": "gates.1.gate.1.bias",
        "layer.0.weight": "head.0.weight",
    },
    "dnanet": {
        "conv0_0.0.conv1.weight": "nodes.0_0.0.body.0.0.weight",
        "conv3_1.1.bn2.running_mean": "nodes.3_1.1.body.1.1.running_mean",
        "conv1_2.0.shortcut.1.weight": "nodes.1_2.0.shortcut.1.weight",
        "conv2_2.1.ca.fc2.weight": "nodes.2_2.1.channels.expand.weight",
        "conv2_2.1.sa.conv1.weight": "nodes.2_2.1.pixels.conv.weight",
        "conv0_4_final.0.bn1.bias": "merge.0.body.0.1.bias",
        "conv0_4_1x1.weight": "narrow.4.weight",
        "final1.weight": "side_heads.0.weight",
        "final3.bias": "side_heads.2.bias",
        "final4.weight": "head.weight",
        "final.weight": "head.weight",
    },
    "mshnet": {
        "conv_init.bias": "stem.bias",
        "encoder_0.0.ca.fc1.weight": "down.0.0.channels.squeeze.weight",
        "middle_layer.1.conv2.weight": "down.4.1.body.1.0.weight",
        "decoder_3.0.shortcut.0.weight": "up.3.0.shortcut.0.weight",
        "output_2.weight": "heads.2.weight",
        "final.weight": "merge.weight",
    },
    "isnet": {
        "stem.4.weight": "stem.4.weight",
        "layer2.0.downsample.1.running_var": "down.1.0.shortcut.1.running_var",
        "uplayer1.3.body.4.bias": "up.0.3.body.4.bias",
        "deconv2.weight": "enlarge.1.weight",
        "TTOA_low.dcn_colum.conv_offset_mask.weight": "joins.1.columns.offset.weight",
        "TTOA_high.dcn_row.bias": "joins.0.rows.bias",
        "TTOA_high.preprocess.1.bias": "joins.0.mix.1.bias",
        "dsn3.weight": "guides.2.weight",
        "myb2.res1.conv2.weight": "edges.1.steps.0.3.weight",
        "myb3.res2.bn1.running_mean": "edges.2.steps.1.1.running_mean",
        "myb1.gate.weight": "edges.0.gate.conv.weight",
        "myb1.gate._gate_conv.3.bias": "edges.0.gate.gate.3.bias",
        "fuse.weight": "edge_head.weight",
        "dsup.bias": "edge_entry.bias",
        "head.block.4.weight": "head.4.weight",
        "SA_att.gn.bias": "unused.SA_att.bias",
        "SA.cweight": "unused.SA.cweight",
        "gate2._gate_conv.0.running_var": "unused.gate2.gate.0.running_var",
        "res3.bn2.weight": "unused.res3.4.weight",
    },
    "msdanet": {
        "stage.resnet1_1.layer.0.weight": "encoder.firsts.0.body.0.0.weight",
        "stage.resnet2_1.layer1.0.weight": "encoder.firsts.1.body.0.0.weight",
        "stage.resnet3_1.layer2.1.bias": "encoder.firsts.2.shortcut.1.bias",
        "stage.resnet3_2.branch0.0.conv.weight": "encoder.rests.2.0.branches.0.0.0.weight",
        "stage.resnet5_3.branch3.1.bn.running_var": "encoder.rests.4.1.branches.3.1.1.running_var",
        "stage.resnet2_2.conv_cat.bn.bias": "encoder.rests.1.0.merge.1.bias",
        "stage.resnet2_2.conv_res.conv.weight": "encoder.rests.1.0.last.0.weight",
        "stage.resnet4_2.FrequencyAttention.HL_reduce.conv.bias": "encoder.rests.3.0.frequency.pixels.1.conv.bias",
        "stage.resnet4_2.FrequencyAttention.conv_res.1.weight": "encoder.rests.3.0.frequency.mix.1.weight",
        "stage.resnet1_3.SEAttention.fc.0.weight": "encoder.rests.0.1.channels.squeeze.weight",
        "stage.layer1_4.4.weight": "encoder.sides.0.weight",
        "stage.layer4_4.1.bias": "encoder.sides.3.bias",
        "stage.layer5_4.2.weight": "encoder.join.2.weight",
        "mlcl4.branch2.0.conv.weight": "contrasts.3.branches.2.0.0.weight",
        "mlcl1.conv_res.bn.weight": "contrasts.0.unused.1.weight",
        "sbam3.hl_layer.1.running_mean": "joins.2.narrow.1.running_mean",
        "sbam1.concat_layer.4.bias": "joins.0.correct.1.1.bias",
        "layer.0.bias": "head.0.bias",
    },
    "uiunet": {
        "stage1.rebnconvin.conv_s1.weight": "down.0.entry.0.weight",
        "stage1.rebnconv7.bn_s1.bias": "down.0.bottom.1.bias",
        "stage1.rebnconv6.conv_s1.weight": "down.0.down.5.0.weight",
        "stage2d.rebnconv6.conv_s1.weight": "up.1.bottom.0.weight",
        "stage3.rebnconv5.conv_s1.bias": "down.2.bottom.0.bias",
        "stage4d.rebnconv3d.bn_s1.running_mean": "up.3.up.2.1.running_mean",
        "stage5.rebnconv4.conv_s1.weight": "down.4.bottom.0.weight",
        "side6.weight": "sides.5.weight",
        "outconv.bias": "head.bias",
        "fuse5.feature_high.0.weight": "joins.3.deep.0.weight",
        "fuse2.topdown.4.weight": "joins.0.channels.4.weight",
        "fuse3.bottomup.3.conv1.weight": "joins.1.pixels.3.conv.weight",
        "fuse4.bottomup.1.running_var": "joins.2.pixels.1.running_var",
        "fuse4.post.1.weight": "joins.2.last.1.weight",
    },
    "gglnet": {
        "stage.layer1.3.weight": "encoder.stem.1.0.weight",
        "stage.resnet1_1.layer.4.bias": "encoder.levels.0.0.body.1.1.bias",
        "stage.resnet4_1.layer2.0.weight": "encoder.levels.3.0.shortcut.0.weight",
        "stage.resnet2_3.layer1.1.weight": "encoder.levels.1.2.body.0.1.weight",
        "stage.resnet2_3.SEAttention.fc.2.weight": "encoder.levels.1.2.body.1.expand.weight",
        "stage.resnet1_2.layer2.1.running_mean": "encoder.levels.0.1.body.2.1.running_mean",
        "stage.Res3.layer1.3.fc.0.weight": "encoder.supplements.2.gradient.1.squeeze.weight",
        "stage.Res1.layer1.5.bias": "encoder.supplements.0.gradient.2.1.bias",
        "stage.Res5.layer2.4.weight": "encoder.supplements.4.both.2.0.weight",
        "lcl5.layer1.2.bias": "contrasts.4.2.bias",
        "sbam4.hl_layer.1.weight": "guides.3.narrow.0.weight",
        "sbam1.hl_layer_2.se.2.weight": "guides.0.channels.expand.weight",
        "sbam2.ll_layer.conv.bias": "guides.1.pixels.conv.bias",
        "layer.2.weight": "head.2.weight",
    },
}


def published_state(name, **options):
    """A state dict under the authors' names, by turning every rule of `our_name` round for MSHNet."""
    torch.manual_seed(5)
    state = build(name, **options).state_dict()
    back = (
        ("stem.", "conv_init."),
        ("down.4.", "middle_layer."),
        ("down.", "encoder_"),
        ("up.", "decoder_"),
        ("heads.", "output_"),
        ("merge.", "final."),
    )
    inside = {
        ".body.0.0.": ".conv1.",
        ".body.0.1.": ".bn1.",
        ".body.1.0.": ".conv2.",
        ".body.1.1.": ".bn2.",
        ".channels.squeeze.": ".ca.fc1.",
        ".channels.expand.": ".ca.fc2.",
        ".pixels.conv.": ".sa.conv1.",
    }
    out = OrderedDict()
    for key, tensor in state.items():
        start, theirs = next((ours, theirs) for ours, theirs in back if key.startswith(ours))
        there = theirs + key.removeprefix(start)
        for ours, their_part in inside.items():
            there = there.replace(ours, their_part)
        out[there] = tensor
    return state, out


@pytest.fixture(scope="module")
def mshnet():
    """The state dict of an MSHNet for three channels, and the same under the authors' names."""
    return published_state("mshnet", in_channels=3)


@pytest.mark.parametrize(("name", "pairs"), PUBLISHED.items(), ids=PUBLISHED)
def test_published_names(name, pairs):
    entry = DETECTORS[name]
    with torch.device("meta"):
        known = set(build(name).state_dict())
    assert {there: our_name(entry.detector_class, there) for there in pairs} == pairs
    assert set(pairs.values()) <= known


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_of_this_library_stay(name):
    with torch.device("meta"):
        names = list(build(name).state_dict())
    assert [our_name(DETECTORS[name].detector_class, key) for key in names] == names


@pytest.mark.parametrize("prefix", ["", "module.", "net.", "module.model."])
@pytest.mark.parametrize("key", [None, "state_dict", "net"])
def test_import_finds_the_weights_and_their_places(tmp_path, mshnet, prefix, key):
    ours, theirs = mshnet
    state = {prefix + name: tensor for name, tensor in theirs.items()}
    state[f"{prefix}decoder_0.total_ops"] = torch.zeros(1)
    held = state if key is None else {key: state, "epoch": 3, "best": np.float64(0.7), "pd": np.arange(3.0)}
    torch.save(held, tmp_path / "best.pth.tar")
    detector, report = import_published(tmp_path / "best.pth.tar", "mshnet")
    assert report.complete
    assert (report.in_channels, report.deep_supervision, report.source) == (3, True, "best.pth.tar")
    assert len(report.matched) == report.n_tensors == len(ours)
    assert all(torch.equal(tensor, ours[name]) for name, tensor in detector.state_dict().items())
    assert not detector.training


def test_half_precision_and_an_old_batch_norm(tmp_path, mshnet):
    ours, theirs = mshnet
    state = {name: t.half() for name, t in theirs.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    detector, report = import_published(tmp_path / "old.pth", "mshnet")
    assert report.complete
    assert torch.equal(detector.get_parameter("stem.weight"), ours["stem.weight"].half().float())


@pytest.mark.parametrize(("supervised", "heads"), [(True, 4), (False, 1)])
def test_the_heads_tell_whether_dnanet_was_deeply_supervised(tmp_path, supervised, heads):
    with torch.device("meta"):
        names = build("dnanet", deep_supervision=supervised).state_dict()
    state = {name: torch.zeros(tensor.shape, dtype=tensor.dtype) for name, tensor in names.items()}
    torch.save(state, tmp_path / "w.pth")
    detector, report = import_published(tmp_path / "w.pth", "dnanet")
    assert report.complete
    assert (detector.deep_supervision, report.in_channels) == (supervised, 1)
    assert sum(name.endswith("head.weight") or name.startswith("side_heads") for name in names) == 2 * heads - 1


def test_unknown_names_go_by_order_and_shape(tmp_path, mshnet):
    ours, theirs = mshnet
    state = {name.replace("output_", "logit"): tensor for name, tensor in theirs.items()}
    torch.save(state, tmp_path / "w.pth")
    detector, report = import_published(tmp_path / "w.pth", "mshnet")
    assert report.complete
    assert report.matched_by_order[0] == ("logit0.weight", "heads.0.weight")
    assert len(report.matched_by_order) == 8
    assert torch.equal(detector.get_parameter("heads.3.weight"), ours["heads.3.weight"])


def test_missing_unexpected_and_misshapen(tmp_path, mshnet):
    state = dict(mshnet[1])
    state["extra.weight"] = state.pop("final.bias").new_zeros(7)
    state["output_1.weight"] = torch.zeros(1, 31, 1, 1)
    torch.save(state, tmp_path / "w.pth")
    detector, report = import_published(tmp_path / "w.pth", "mshnet")
    assert not report.complete
    assert report.missing == ("merge.bias",)
    assert report.unexpected == ("extra.weight",)
    assert report.shape_mismatch == (("output_1.weight", (1, 31, 1, 1), "heads.1.weight", (1, 32, 1, 1)),)
    assert report.n_matched == report.n_tensors - 2
    assert report.complaint() == (
        "w.pth: 338 of the 340 tensors of mshnet fit; 1 missing (the first: merge.bias), 1 in the file without a place "
        "here (the first: extra.weight), 1 of another shape (the first: output_1.weight)"
    )
    assert torch.equal(detector.get_parameter("heads.0.weight"), mshnet[0]["heads.0.weight"])


def test_the_wrong_model_is_named(tmp_path, mshnet):
    torch.save(mshnet[1], tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"0 of the \d+ tensors of mlclnet fit; .*; the file fits mshnet$"):
        import_published(tmp_path / "w.pth", "mlclnet")


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, place):
        self.place = str(place)

    def __reduce__(self):
        return os.mkdir, (self.place,)


@pytest.mark.parametrize("inside", [True, False])
def test_a_pickle_that_runs_code_is_not_opened(tmp_path, inside):
    trap = Trap(tmp_path / "trace")
    if inside:
        torch.save({"state_dict": {"a": torch.zeros(1)}, "more": trap}, tmp_path / "bad.pth")
    else:
        (tmp_path / "bad.pth").write_bytes(pickle.dumps(trap, protocol=2))
    with pytest.raises(InputError, match=r"bad\.pth: not opened, since unpickling it could run code"):
        read_published(tmp_path / "bad.pth")
    assert not (tmp_path / "trace").exists()
    with open(tmp_path / "bad.pth", "rb") as file:  # the trap itself works
        torch.load(file, weights_only=False) if inside else pickle.load(file)
    assert (tmp_path / "trace").exists()


def test_numbers_of_numpy_are_skipped_and_not_rebuilt(tmp_path):
    torch.save(
        {"state_dict": {"a": torch.ones(2)}, "scores": np.array([1.0]), "best": np.float32(3)}, tmp_path / "w.pth"
    )
    assert read_published(tmp_path / "w.pth").keys() == {"a"}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("modern", [True, False])
def test_a_file_that_is_cut_short(tmp_path, share, modern):
    torch.save({"a": torch.rand(1000)}, tmp_path / "w.pth", _use_new_zipfile_serialization=modern)
    data = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"w\.pth: (no whole checkpoint of torch|not opened|the file is empty)"):
        read_published(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([1, 2], "holds no weights by name, neither bare nor as state_dict, .*; got list"),
        ({"a": 1, "b": {}}, "holds no weights by name, .*; got keys a, b"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a holds values that are not finite"),
    ],
)
def test_files_without_usable_weights(tmp_path, held, message):
    torch.save(held, tmp_path / "w.pth")
    with pytest.raises(InputError, match=message):
        read_published(tmp_path / "w.pth")


def test_a_missing_file_and_an_unknown_model(tmp_path):
    with pytest.raises(InputError, match=r"no\.pth: cannot be read \(No such file or directory\)"):
        read_published(tmp_path / "no.pth")
    with pytest.raises(InputError, match="unknown detector 'mshnett'; did you mean mshnet"):
        import_published(tmp_path / "no.pth", "mshnett")


def test_weights_go_to_a_file_and_back(tmp_path, rng):
    net = build("dnanet", in_channels=3, deep_supervision=False).eval()
    (tmp_path / "w.safetensors").write_bytes(weights_to_bytes(net))
    again = load_weights(tmp_path / "w.safetensors")
    assert (again.name, again.in_channels, again.deep_supervision, again.training) == ("dnanet", 3, False, False)
    image = torch.from_numpy(rng.random((1, 3, 20, 30))).float()
    with torch.inference_mode():
        assert torch.equal(net(image), again(image))


def test_files_that_are_no_weights_of_ours(tmp_path):
    import safetensors.torch

    place = tmp_path / "w.safetensors"
    place.write_bytes(b"hello")
    with pytest.raises(InputError, match="cannot be read as safetensors"):
        load_weights(place)
    place.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    with pytest.raises(InputError, match="does not say which detector it belongs to"):
        load_weights(place)
    net = build("tiny")
    net.head = torch.nn.Conv2d(8, 1, 3)
    place.write_bytes(weights_to_bytes(net))
    with pytest.raises(InputError, match=r"does not fit the detector tiny: size mismatch for head\.weight"):
        load_weights(place)
