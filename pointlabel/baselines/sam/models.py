"""Segment Anything models from a local folder: loaded once a process, never downloaded. torch is imported on use."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, MissingExtraError

#: Means and deviations of the three channels in [0, 1], where the folder has no settings of its own: ImageNet's.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Family:
    """One generation of the model.

    Attributes
    ----------
    method : name of the method.
    class_name : the model's class in `transformers`.
    model_types : what ``config.json`` calls it; video models hold the image model's weights.
    keeps_aspect : whether images are padded to a square; else they are stretched to it.
    """

    method: str
    class_name: str
    model_types: tuple[str, ...]
    keeps_aspect: bool


SAM = Family("sam", "SamModel", ("sam",), True)
SAM2 = Family("sam2", "Sam2Model", ("sam2", "sam2_video"), False)


def check_checkpoint(family: Family, folder: str) -> None:
    """Raise where a package or a model that `family` needs is missing; nothing is imported or loaded.

    Raises
    ------
    MissingExtraError
        Where torch or transformers is not installed.
    InputError
        Where `folder` is empty, no folder, or holds no model of the family.
    """
    missing = [name for name in ("torch", "transformers") if not _is_installed(name)]
    if missing:
        raise MissingExtraError(
            f"method {family.method} needs {' and '.join(missing)}, not installed; pip install 'pointlabel[sam]'"
        )
    if not folder:
        raise InputError(f"method {family.method} needs a trained model on this machine: `checkpoint`, a folder")
    if not os.path.isdir(folder):
        raise InputError(f"checkpoint must be a folder with a model of type {family.model_types[0]}, got {folder}")
    found = _read_json(os.path.join(folder, "config.json"))
    if found is None:
        raise InputError(f"{folder}: there is no model in this folder, config.json is missing or no JSON")
    if not any(name.endswith(".safetensors") for name in os.listdir(folder)):
        raise InputError(f"{folder}: there are no weights in this folder, *.safetensors is missing")
    kind = found.get("model_type")
    if kind not in family.model_types:
        raise InputError(f"{folder} holds a model of type {kind}, method {family.method} needs {family.model_types[0]}")


@lru_cache(maxsize=2)
def load_predictor(family: Family, folder: str, device: str) -> Predictor:
    """Load the model in `folder`; the last two stay in memory.

    Raises
    ------
    MissingExtraError, InputError
        As `check_checkpoint`; InputError also where weights are missing or do not fit, or `device` is "cuda" and
        torch finds none.
    """
    check_checkpoint(family, folder)
    import torch
    import transformers

    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds no CUDA device on this machine; use cpu")
    model_class = getattr(transformers, family.class_name, None)
    if model_class is None:
        raise MissingExtraError(
            f"method {family.method} needs a newer transformers than {transformers.__version__}; "
            "pip install 'pointlabel[sam]'"
        )
    with _offline_and_quiet():
        try:
            model, about = model_class.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # files of others: damaged, of another version, too large for the memory
            raise InputError(f"{folder}: the model cannot be loaded ({type(error).__name__}: {error})") from error
    absent = sorted(about["missing_keys"])
    if absent:
        raise InputError(f"{folder}: {len(absent)} weights of the model are missing, the first is {absent[0]}")
    side = model.config.prompt_encoder_config.image_size
    return Predictor(
        model.float().eval().to(device),
        side if isinstance(side, int) else int(side[0]),
        family.keeps_aspect,
        *_normalisation(folder),
        device,
    )


@dataclass(frozen=True, slots=True)
class Predictor:
    """A model that is ready: one embedding for an image, one mask for an embedding and a point.

    Attributes
    ----------
    model : the model of `transformers`, in float32.
    side : side of the square that it takes, in pixels.
    keeps_aspect : whether images are padded to the square, on the right and below; else they are stretched.
    mean, deviation : of the three channels.
    device : "cpu" or "cuda".
    """

    model: Any
    side: int
    keeps_aspect: bool
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    device: str

    def pixels(self, image: NDArray[np.float32]) -> Any:
        """What the model takes for an image (h, w) in [0, 1]: a tensor (1, 3, side, side)."""
        import torch
        from torch.nn import functional

        inner = self._inner(image.shape)
        grey = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(self.device)
        grey = functional.interpolate(grey, inner, mode="bilinear", antialias=True)
        mean, deviation = (
            torch.tensor(values, device=self.device)[None, :, None, None] for values in (self.mean, self.deviation)
        )
        colour = (grey.expand(-1, 3, -1, -1) - mean) / deviation
        return functional.pad(colour, (0, self.side - inner[1], 0, self.side - inner[0]))

    def embed(self, image: NDArray[np.float32]) -> Any:
        """Embedding of an image (h, w) in [0, 1], the costly part."""
        import torch

        with torch.inference_mode():
            return self.model.get_image_embeddings(self.pixels(image))

    def segment(
        self, embedding: Any, shape: tuple[int, int], point: tuple[float, float]
    ) -> tuple[NDArray[np.float32], float]:
        """Log-odds (h, w) of the best-scored of the candidate masks for a point (row, column), and its score."""
        import torch
        from torch.nn import functional

        inner = self._inner(shape)
        # Centres of pixels lie at whole numbers here as there, and the model adds the half pixel itself.
        y, x = ((value + 0.5) * new / old - 0.5 for value, new, old in zip(point, inner, shape, strict=True))
        with torch.inference_mode():
            found = self.model(
                image_embeddings=embedding,
                input_points=torch.tensor([[[[x, y]]]], dtype=torch.float32, device=self.device),
                multimask_output=True,
            )
            scores = found.iou_scores[0, 0]
            best = int(scores.argmax())
            odds = found.pred_masks[:, 0, best : best + 1]
            if self.keeps_aspect:
                odds = functional.interpolate(odds, (self.side, self.side), mode="bilinear")
                odds = odds[..., : inner[0], : inner[1]]
            odds = functional.interpolate(odds, shape, mode="bilinear")
        return odds[0, 0].cpu().numpy(), float(scores[best])

    def _inner(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Size of the image within the square."""
        if not self.keeps_aspect:
            return self.side, self.side
        scale = self.side / max(shape)
        return max(int(shape[0] * scale + 0.5), 1), max(int(shape[1] * scale + 0.5), 1)


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # None in sys.modules, or a module without a spec
        return False


def _read_json(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _normalisation(folder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations that the folder's image processor names."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        settings = _read_json(os.path.join(folder, name)) or {}
        settings = settings.get("image_processor", settings)
        if "image_mean" in settings and "image_std" in settings:
            return tuple(settings["image_mean"]), tuple(settings["image_std"])
    return MEAN, DEVIATION


@contextmanager
def _offline_and_quiet() -> Iterator[None]:
    """No request to any server, no bar and no log line of `transformers`; all as it was afterwards."""
    from huggingface_hub import constants
    from transformers.utils import logging

    offline, level, bar = constants.HF_HUB_OFFLINE, logging.get_verbosity(), logging.is_progress_bar_enabled()
    constants.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
