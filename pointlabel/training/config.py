"""What one training run is: every number that decides it, with its range. Loads neither torch nor the methods."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from ..convolutions import KINDS as CONVOLUTIONS
from ..detectors.registry import get_detector
from ..errors import InputError, name_hint, shown
from ..io.points.formats import FORMATS
from ..losses.registry import get_loss
from ..params import Params, default_of, param
from .registry import get_strategy

PROTOCOLS = ("ours", "paper")
#: Words of a setting that follows another one unless it is given: a pair of flags on the command line.
SWITCH = ("auto", "on", "off")
#: Side in pixels of the square that the protocol "paper" scores at.
PAPER_SIZE_PX = 256
#: Shares of training, validation and test that the protocol "paper" draws where no lists are given.
PAPER_RATIO = (6, 2, 2)
#: Largest seed: torch takes no larger ones with a stream of its own for each part of a run.
MOST_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Params):
    """Settings of a run; the command line has an option for each field.

    Raises
    ------
    InputError
        Where a value is of another type than its default, out of range, or names nothing.
    """

    prefix: ClassVar[str] = ""

    model: str = param("tiny", "Detector to train.")
    strategy: str = param("offline", "Where labels come from and how they and the samples' weights change.")
    options: Mapping[str, Any] = param({}, "Parameters of the strategy by name.")
    conv: str = param(
        "plain",
        "What the detector's 3 x 3 convolutions are turned into before training.",
        choices=("plain", *CONVOLUTIONS),
    )
    loss: str = param("soft-iou", "Loss between logits and labels.")
    loss_params: Mapping[str, Any] = param({}, "Parameters of the loss by name.")

    points: str = param("centroid", "centroid or coarse, or a file or folder of points.")
    points_format: str = param(
        "auto", "Format of the points, in place of what their content says.", choices=("auto", *FORMATS)
    )
    allow_pickle: bool = param(False, "Read the pickled tables of MCLC and D2D; plain values only.")
    origin: str = param(
        "center",
        "Where a table's x = y = 0 lies: centre of the first pixel, or its corner.",
        choices=("center", "corner"),
    )
    polarity: str = param(
        "bright",
        "Targets brighter or darker than their surroundings; auto decides for each point.",
        choices=("bright", "dark", "auto"),
    )
    label_method: str = param("default", "Method that makes pseudo-masks from points.")
    label_params: Mapping[str, Any] = param({}, "Parameters of the label method by name.")
    tightness: float = param(0.5, "Tightness of the pseudo-masks: 0 wide, 1 tight.", low=0, high=1)
    label_kind: str = param("mask", "Train on binary masks or on soft labels.", choices=("mask", "soft"))
    labels: str = param("", "Folder of masks for the training images, instead of the label method.")
    mask_threshold: float = param(
        127.0,
        "Pixels of true masks and of `labels` above this grey level are foreground; masks of 0 and 1 need 0.",
        low=0,
        high=254,
    )

    lists: str = param(
        "",
        "Which lists of a data set to take where it has several: the end of their names, full for train_full.txt, or "
        "the folder that holds them.",
    )
    train_ids: str = param("", "List of training ids to keep to, as pointlabel select writes it.")
    protocol: str = param(
        "ours",
        "ours: native size, best epoch on validation pseudo-labels. paper: 6:2:2, scored at 256 x 256, best epoch on "
        "the test part; for comparison with published tables only.",
        choices=PROTOCOLS,
    )
    val_share: float = param(
        0.25, "Share of the training images held out where there is no validation list.", low=0.01, high=0.9
    )

    epochs: int = param(400, "Epochs.", low=1, high=1_000_000)
    batch_size: int = param(16, "Images in a batch.", low=1, high=65_536)
    crop: int = param(256, "Side of the square that training cuts out of images, pixels.", low=8, high=4096)
    optimizer: str = param("adamw", "Optimiser of the detector.", choices=("adamw", "sgd", "adagrad"))
    lr: float = param(1e-3, "Learning rate at the start.", low=0, high=10, open_low=True)
    weight_decay: float = param(1e-2, "Weight decay.", low=0, high=1)
    schedule: str = param(
        "cosine",
        "How the learning rate falls to a twentieth over the epochs.",
        choices=("cosine", "linear", "constant"),
    )
    start_probability: float = param(
        0.01, "Probability that a fresh detector starts from; 0.5 leaves it as it is.", low=1e-4, high=0.5
    )
    seed: int = param(0, "Seed of all random numbers.", low=0, high=MOST_SEED)

    outer_start: float = param(
        0.2, "Share of the epochs after which labels and weights start to be updated.", low=0, high=1
    )
    outer_every: float = param(0.05, "Share of the epochs between two updates of the labels.", low=0, high=1)
    mine: str = param(
        "auto",
        "From the first update on, place crops on the detector's alarms far from every click, and measure crops "
        "without a target by their false pixels; by default with the strategies full and offline.",
        choices=SWITCH,
    )

    normalise: str = param(
        "dataset", "Mean and deviation that grey levels are scaled by.", choices=("dataset", "image")
    )
    target_share: float = param(0.5, "Share of the crops that are placed on a target.", low=0, high=1)
    zoom: float = param(0.2, "Crops are enlarged or shrunk by up to this share.", low=0, high=0.5)
    long_side_low: int = param(
        0,
        "With long_side_high: the longer side that an image is scaled to before it is cropped, pixels; 0 for none.",
        low=0,
        high=8192,
    )
    long_side_high: int = param(
        0, "Upper end of that range; each crop draws its own, in place of zoom.", low=0, high=8192
    )
    noise: float = param(0.05, "Largest deviation of the added noise, in deviations of the grey levels.", low=0, high=1)
    brightness: float = param(0.1, "Largest change of gain, and of offset in the same unit.", low=0, high=1)

    threshold: float = param(0.5, "Probability above which a pixel belongs to a target.", low=0, high=1)
    validate_every: int = param(1, "Epochs between two looks at the validation images.", low=1)
    picture_every: int = param(0, "Epochs between two pictures of predictions; 0 for none.", low=0, free=True)
    workers: int = param(
        0,
        "Processes that cut the crops, so that a GPU does not wait for them; 0 cuts them in between.",
        low=0,
        high=64,
        free=True,
    )
    checkpoint_every: int = param(1, "Epochs between two checkpoints to resume from.", low=1, free=True)
    tensorboard: bool = param(False, "Write curves for TensorBoard to RUN/tensorboard.", free=True)

    device: str = param("auto", "auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.", free=True)
    amp: bool = param(False, "Compute in bfloat16 where that is safe; GPUs only.")
    compile: bool = param(False, "Compile the detector with torch.compile.", free=True)

    def check_together(self) -> None:
        """Raise where names are unknown or settings exclude each other."""
        get_detector(self.model)
        get_loss(self.loss)
        if get_strategy(self.strategy).has_own_labels and self.labels:
            raise InputError(f"strategy {self.strategy} has labels of its own; leave labels out")
        if self.origin != "center" and self.points in ("centroid", "coarse"):
            raise InputError(f"origin belongs to a table of points, and points is {self.points}; leave origin out")
        check_device(self.device)
        low, high = self.long_side_low, self.long_side_high
        if (low > 0) != (high > 0) or low > high:
            raise InputError(f"long_side_low must be at most long_side_high, or both 0, got {low} and {high}")
        if "reduction" in self.loss_params:
            raise InputError("loss_params must leave reduction out: training needs the loss of each sample")
        if self.mine == "auto":  # settled here, so that a stored run says what it does
            object.__setattr__(self, "mine", "on" if get_strategy(self.strategy).mines else "off")

    def as_dict(self) -> dict[str, Any]:
        """Every field by name, ready for JSON."""
        return asdict(self)

    def lr_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 1."""
        done = (epoch - 1) / max(self.epochs - 1, 1)
        share = {"cosine": 0.5 + 0.5 * math.cos(math.pi * done), "linear": 1 - done, "constant": 1.0}[self.schedule]
        return self.lr * (0.05 + 0.95 * share)

    def outer_from(self) -> int:
        """First epoch, counted from 1, whose end may update labels and weights."""
        return max(1, round(self.outer_start * self.epochs))

    def outer_epochs(self) -> int:
        """Epochs from one update of the labels to the next."""
        return max(1, round(self.outer_every * self.epochs))

    def is_outer(self, epoch: int) -> bool:
        """Whether labels are updated at the end of an epoch, counted from 1; never after the last one."""
        since = epoch - self.outer_from()
        return since >= 0 and since % self.outer_epochs() == 0 and epoch < self.epochs


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """Build a config from stored values; unknown names are refused with the nearest one."""

    if not isinstance(values, Mapping):
        raise InputError(f"the settings must be a table, got {shown(values)}")
    known = [item.name for item in fields(TrainConfig)]
    for name in values:
        if name not in known:
            raise InputError(f"there is no setting {shown(name)}; {name_hint(name, known)}")
    return TrainConfig(**_in_words_of_now(values))


def _in_words_of_now(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of a run from when `mine` was a flag, or was not there, in the words of now."""
    mine = stored.get("mine", False)
    return {**stored, "mine": "on" if mine else "off"} if isinstance(mine, bool) else stored


def differing_setting(stored: Mapping[str, Any], config: TrainConfig) -> tuple[str, Any, Any] | None:
    """First setting, with both values, that a run has otherwise than `config` and may not be resumed with."""
    stored, ours = _in_words_of_now(stored), config.as_dict()
    for item in fields(TrainConfig):
        # A setting that an older version did not have stood at what is its default now.
        theirs = stored.get(item.name, default_of(item))
        if not item.metadata.get("free") and theirs != ours[item.name]:
            return item.name, theirs, ours[item.name]
    return None


def check_device(name: Any) -> str:
    """Return the name of a device; raise where it is none that a run can name."""
    if isinstance(name, str) and (name in ("auto", "cpu", "cuda") or re.fullmatch(r"cuda:[0-9]{1,3}", name)):
        return name
    raise InputError(f"device must be auto, cpu, cuda or cuda:N, got {shown(name)}")
