"""Images of any size for nets that halve them several times: pad by reflection, cut back."""

from __future__ import annotations

import torch


def pad_to_multiple(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad (B, C, H, W) at the bottom and the right, so that H and W are multiples of `multiple`.

    The border pixel is the mirror and is not repeated. Where the padding is longer than the image the reflection goes
    back and forth, so that images of one pixel work too: the values are those of
    ``numpy.pad(..., mode="reflect")``. Nothing is copied if no padding is needed.
    """
    for axis in (-2, -1):
        size = image.shape[axis]
        missing = -size % multiple
        if missing:
            image = image.index_select(axis, _mirrored(size, size + missing, image.device))
    return image


def _mirrored(size: int, padded_size: int, device: torch.device) -> torch.Tensor:
    """Index into an axis of `size` for each of `padded_size` places, back and forth.

    The last index is a tensor and no branch depends on the size, so that a traced graph holds for every size.
    """
    last = torch.arange(size, device=device)[-1]
    period = (2 * last).clamp(min=1)
    place = torch.arange(padded_size, device=device) % period
    return torch.minimum(place, period - place)


def cut_back(logits: torch.Tensor, size: tuple[int, int], shrunk: int = 1) -> torch.Tensor:
    """Return the first `size` rows and columns of (B, 1, H, W); of a map `shrunk` times smaller, those they meet."""
    return logits[..., : -(-size[0] // shrunk), : -(-size[1] // shrunk)]
