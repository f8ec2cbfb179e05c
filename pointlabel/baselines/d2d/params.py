"""Parameters of the diffusion methods: frozen, ranges checked when they are built."""

from __future__ import annotations

from dataclasses import dataclass

from ..._values import check_choice, check_odd, check_range, check_types
from ..crf import CRF_SUMS
from ..published_windows import SIZE_PRIORS


@dataclass(frozen=True, slots=True)
class DiffusionParams:
    """Parameters of `label_diffusion`: equations (2) to (4) around each point."""

    window_px: int = 33  # side of the window around the point, odd, in [5, 257]
    size_prior: str = "none"  # "none": window_px; "fixed": the published spot window; "oracle": by the true area
    clahe: bool = False  # equalise the window's contrast first
    d0: float = 3.2  # D0 of eq. (2), > 0; cancels where tau follows the largest outflow
    beta: float = 12.0  # how fast texture stops the heat, in [0, 100]
    alpha: float = 0.9  # share of the gradient against the entropy, in [0, 1]
    n_bins: int = 32  # bins of the entropy's histogram, in [2, 256]
    solver: str = "explicit"  # "explicit": n_steps of eq. (3); "steady": one implicit step of the same length
    n_steps: int = 100  # steps of eq. (3), in [0, 100000]
    tau_share: float = 0.9  # length of a step as a share of 1 / max L_ii, in (0, 1]
    rho: float = 0.65  # share of the heat against the superpixel in eq. (4), in [0, 1]
    heat_first: bool = True  # divide the heat by its maximum before the fusion; eq. (4) does so after it only
    n_segments: int = 16  # superpixels of the window, in [1, 25]
    compactness: float = 0.32  # their compactness, in [0, 100]
    n_slic_iter: int = 4  # most iterations of the superpixels, in [1, 100]
    point_seed: bool = True  # one more superpixel that starts at the point
    n_maxima: int = 0  # more sources at so many local maxima of the point's superpixel, in [0, 100]
    boundary: str = "level"  # "level": at `level`; "otsu": Otsu's threshold of the window's soft map
    level: float = 0.25  # border at this share of the soft map's maximum at tightness 0.5, in [0.05, 0.6]

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, "window_px", 5, 257)
        check_odd(self, "window_px")
        check_choice(self, "size_prior", SIZE_PRIORS)
        check_range(self, "d0", 1e-6, 1e6)
        check_range(self, "beta", 0, 100)
        check_range(self, "alpha", 0, 1)
        check_range(self, "n_bins", 2, 256)
        check_choice(self, "solver", ("explicit", "steady"))
        check_range(self, "n_steps", 0, 100_000)
        check_range(self, "tau_share", 1e-3, 1)
        check_range(self, "rho", 0, 1)
        check_range(self, "n_segments", 1, 25)
        check_range(self, "compactness", 0, 100)
        check_range(self, "n_slic_iter", 1, 100)
        check_range(self, "n_maxima", 0, 100)
        check_choice(self, "boundary", ("level", "otsu"))
        check_range(self, "level", 0.05, 0.6)


@dataclass(frozen=True, slots=True)
class ParticleParams:
    """Parameters of `label_particles`, the published code's pipeline."""

    size_prior: str = "none"  # "none" and "fixed": the published spot window; "oracle": by the true area
    clahe: bool = True  # equalise the image's contrast first
    d0: float = 3.2  # D0 of eq. (2), > 0
    beta: float = 6.0  # how fast texture stops the particles, in [0, 100]
    alpha: float = 0.6  # share of the gradient against the entropy, in [0, 1]
    rho: float = 0.84  # share of the heat against the superpixel, in [0, 1]
    n_segments: int = 16  # superpixels of the window, in [1, 25]
    compactness: float = 0.32  # their compactness, in [0.001, 100]
    n_maxima: int = 5  # more sources at so many local maxima of the point's superpixel, in [0, 100]
    n_crf_iter: int = 5  # iterations of the dense CRF, 0 for none, in [0, 100]
    crf_spatial_px: float = 8.0  # its reach in pixels, > 0
    crf_intensity: float = 10.0  # its reach in grey levels of 8 bits, > 0
    crf_compatibility: float = 110.0  # weight of its pairs, >= 0
    crf_sums: str = "lattice"  # its sums over all pairs: "lattice", as published, or "exact"

    def __post_init__(self) -> None:
        check_types(self)
        check_choice(self, "size_prior", SIZE_PRIORS)
        check_range(self, "d0", 1e-6, 1e6)
        check_range(self, "beta", 0, 100)
        check_range(self, "alpha", 0, 1)
        check_range(self, "rho", 0, 1)
        check_range(self, "n_segments", 1, 25)
        check_range(self, "compactness", 0.001, 100)
        check_range(self, "n_maxima", 0, 100)
        check_range(self, "n_crf_iter", 0, 100)
        check_range(self, "crf_spatial_px", 0.1, 1000)
        check_range(self, "crf_intensity", 0.1, 1000)
        check_range(self, "crf_compatibility", 0, 1e6)
        check_choice(self, "crf_sums", CRF_SUMS)
