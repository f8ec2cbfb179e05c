"""Parameters of the diffusion methods: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from ..._values import Parameters, chosen, ranged
from ..crf import CRF_SUMS
from ..published_windows import SIZE_PRIORS


@dataclass(frozen=True, slots=True)
class DiffusionParams(Parameters):
    """Parameters of `label_diffusion`: equations (2) to (4) around each point."""

    window_px: int = ranged(33, 5, 257, odd=True)  # side of the window around the point
    size_prior: str = chosen("none", SIZE_PRIORS)  # window_px, the published spot window, or by the true area
    clahe: bool = False  # equalise the window's contrast first
    d0: float = ranged(3.2, 1e-6, 1e6)  # D0 of eq. (2); cancels where tau follows the largest outflow
    beta: float = ranged(12.0, 0, 100)  # how fast texture stops the heat
    alpha: float = ranged(0.9, 0, 1)  # share of the gradient against the entropy
    n_bins: int = ranged(32, 2, 256)  # bins of the entropy's histogram
    solver: str = chosen("explicit", ("explicit", "steady"))  # n_steps of eq. (3), or one implicit step as long
    n_steps: int = ranged(100, 0, 100_000)  # steps of eq. (3)
    tau_share: float = ranged(0.9, 1e-3, 1)  # length of a step as a share of 1 / max L_ii
    rho: float = ranged(0.65, 0, 1)  # share of the heat against the superpixel in eq. (4)
    heat_first: bool = True  # divide the heat by its maximum before the fusion; eq. (4) does so after it only
    n_segments: int = ranged(16, 1, 25)  # superpixels of the window
    compactness: float = ranged(0.32, 0, 100)  # their compactness
    n_slic_iter: int = ranged(4, 1, 100)  # most iterations of the superpixels
    point_seed: bool = True  # one more superpixel that starts at the point
    n_maxima: int = ranged(0, 0, 100)  # more sources at so many local maxima of the point's superpixel
    boundary: str = chosen("level", ("level", "otsu"))  # at `level`, or Otsu's of the soft map
    level: float = ranged(0.25, 0.05, 0.6)  # border at this share of the soft map's maximum at tightness 0.5


@dataclass(frozen=True, slots=True)
class ParticleParams(Parameters):
    """Parameters of `label_particles`, the published code's pipeline."""

    size_prior: str = chosen("none", SIZE_PRIORS)  # the published spot window, but "oracle": by the true area
    clahe: bool = True  # equalise the image's contrast first
    d0: float = ranged(3.2, 1e-6, 1e6)  # D0 of eq. (2)
    beta: float = ranged(6.0, 0, 100)  # how fast texture stops the particles
    alpha: float = ranged(0.6, 0, 1)  # share of the gradient against the entropy
    rho: float = ranged(0.84, 0, 1)  # share of the heat against the superpixel
    n_segments: int = ranged(16, 1, 25)  # superpixels of the window
    compactness: float = ranged(0.32, 0.001, 100)  # their compactness
    n_maxima: int = ranged(5, 0, 100)  # more sources at so many local maxima of the point's superpixel
    n_crf_iter: int = ranged(5, 0, 100)  # iterations of the dense CRF, 0 for none
    crf_spatial_px: float = ranged(8.0, 0.1, 1000)  # its reach in pixels
    crf_intensity: float = ranged(10.0, 0.1, 1000)  # its reach in grey levels of 8 bits
    crf_compatibility: float = ranged(110.0, 0, 1e6)  # weight of its pairs
    crf_sums: str = chosen("lattice", CRF_SUMS)  # its sums over all pairs: "lattice", as published, or "exact"
