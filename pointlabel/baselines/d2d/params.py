"""Parameters of the diffusion methods: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from ...params import Params, param
from ..crf import CRF_SUMS
from ..published_windows import SIZE_PRIORS


@dataclass(frozen=True, slots=True)
class DiffusionParams(Params):
    """Parameters of `label_diffusion`: equations (2) to (4) around each point."""

    window_px: int = param(33, "side of the window around the point", low=5, high=257, odd=True)
    size_prior: str = param(
        "none", "size of the window: window_px, that of the published spots, or by the true area", choices=SIZE_PRIORS
    )
    clahe: bool = param(False, "equalise the window's contrast first")
    d0: float = param(3.2, "D0 of eq. (2); cancels where tau follows the largest outflow", low=1e-6, high=1e6)
    beta: float = param(12.0, "how fast texture stops the heat", low=0, high=100)
    alpha: float = param(0.9, "share of the gradient against the entropy", low=0, high=1)
    n_bins: int = param(32, "bins of the entropy's histogram", low=2, high=256)
    solver: str = param(
        "explicit", "n_steps of eq. (3), or one implicit step of the same length", choices=("explicit", "steady")
    )
    n_steps: int = param(100, "steps of eq. (3)", low=0, high=100_000)
    tau_share: float = param(0.9, "length of a step as a share of 1 / max L_ii", low=1e-3, high=1)
    rho: float = param(0.65, "share of the heat against the superpixel in eq. (4)", low=0, high=1)
    heat_first: bool = param(True, "divide the heat by its maximum before the fusion; eq. (4) does so after it only")
    n_segments: int = param(16, "superpixels of the window", low=1, high=25)
    compactness: float = param(0.32, "compactness of the superpixels", low=0, high=100)
    n_slic_iter: int = param(4, "most iterations of the superpixels", low=1, high=100)
    point_seed: bool = param(True, "one more superpixel that starts at the point")
    n_maxima: int = param(0, "more sources at so many local maxima of the point's superpixel", low=0, high=100)
    boundary: str = param(
        "level", "border at `level`, or at Otsu's threshold of the window's soft map", choices=("level", "otsu")
    )
    level: float = param(0.25, "border at this share of the soft map's maximum at tightness 0.5", low=0.05, high=0.6)


@dataclass(frozen=True, slots=True)
class ParticleParams(Params):
    """Parameters of `label_particles`, the published code's pipeline."""

    size_prior: str = param(
        "none",
        "size of the window: none and fixed are that of the published spots, oracle follows the true area",
        choices=SIZE_PRIORS,
    )
    clahe: bool = param(True, "equalise the image's contrast first")
    d0: float = param(3.2, "D0 of eq. (2)", low=1e-6, high=1e6)
    beta: float = param(6.0, "how fast texture stops the particles", low=0, high=100)
    alpha: float = param(0.6, "share of the gradient against the entropy", low=0, high=1)
    rho: float = param(0.84, "share of the heat against the superpixel", low=0, high=1)
    n_segments: int = param(16, "superpixels of the window", low=1, high=25)
    compactness: float = param(0.32, "compactness of the superpixels", low=0.001, high=100)
    n_maxima: int = param(5, "more sources at so many local maxima of the point's superpixel", low=0, high=100)
    n_crf_iter: int = param(5, "iterations of the dense CRF, 0 for none", low=0, high=100)
    crf_spatial_px: float = param(8.0, "reach of the CRF in pixels", low=0.1, high=1000)
    crf_intensity: float = param(10.0, "reach of the CRF in grey levels of 8 bits", low=0.1, high=1000)
    crf_compatibility: float = param(110.0, "weight of the CRF's pairs", low=0, high=1e6)
    crf_sums: str = param(
        "lattice", "how the CRF sums over all pairs: on a lattice, as published, or exactly", choices=CRF_SUMS
    )
