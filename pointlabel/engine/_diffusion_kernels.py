"""Compiled core of eq. (3) of "Diffuse to Detect" (arXiv 2605.20766): explicit steps, and its quasi-steady state.

Fields lie flat with one spare column, whose conductances are 0, so that one loop without a branch
covers the window and LLVM turns it into vector instructions. Neighbours are added in symmetric pairs,
(left + right) + (up + down): flipping or transposing the window does so to the heat, bit for bit.
"""

import numpy as np

from ..compiled import kernel

#: Heat that every pixel holds from the start: keeps float32 out of its denormal range, where it is slow.
FLOOR = np.float32(1e-20)
#: A step's length, as a share of the longest that is stable.
TAU_SHARE = 0.9


@kernel
def largest_outflow_kernel(east, south):
    """Largest L_ii, the sum of a pixel's conductances to its neighbours."""
    height, width = east.shape
    largest = np.float32(0.0)
    for i in range(height):
        for j in range(width):
            left = east[i, j - 1] if j > 0 else np.float32(0.0)
            up = south[i - 1, j] if i > 0 else np.float32(0.0)
            largest = max(largest, (left + east[i, j]) + (up + south[i, j]))
    return largest


@kernel
def _lay_flat(field, gain, fill):
    """Copy gain times an (h, w) field into a flat one with a spare column, a row above and a row below; add `fill`."""
    height, width = field.shape
    stride = width + 1
    flat = np.empty((height + 2) * stride + 2, np.float32)
    for q in range(flat.size):
        flat[q] = fill
    for i in range(height):
        for j in range(width):
            flat[(i + 1) * stride + j] += gain * field[i, j]
    return flat


@kernel
def _copy_back(flat, out):
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            out[i, j] = flat[i * (width + 1) + j]


@kernel
def _explicit_step(out, here, left, right, up, down, west, east, north, south, keep):
    for q in range(out.size):
        out[q] = keep[q] * here[q] + (
            (west[q] * left[q] + east[q] * right[q]) + (north[q] * up[q] + south[q] * down[q])
        )


@kernel
def _chebyshev_step(old, here, left, right, up, down, west, east, north, south, outflow, source, momentum, pull):
    """One step towards (leak + L) x = source; the new field replaces the one before `here`."""
    for q in range(old.size):
        inflow = (west[q] * left[q] + east[q] * right[q]) + (north[q] * up[q] + south[q] * down[q])
        rest = source[q] + (inflow - outflow[q] * here[q])
        old[q] = here[q] + (momentum * (here[q] - old[q]) + pull * rest)


@kernel
def diffuse_kernel(source, east, south, tau, n_steps, out):
    """Run u <- u - tau L u for `n_steps` from `source`; nothing leaves the window."""
    height, width = source.shape
    stride = width + 1
    n = height * stride
    none, one, gain = np.float32(0.0), np.float32(1.0), np.float32(tau)
    u = _lay_flat(source, one, FLOOR)
    v = _lay_flat(source, one, FLOOR)
    right_of = _lay_flat(east, gain, none)
    below = _lay_flat(south, gain, none)
    a, b, c = stride, stride + n, 2 * stride
    e, w, s, t = right_of[a:b], right_of[a - 1 : b - 1], below[a:b], below[0:n]
    keep = np.empty(n, np.float32)
    for q in range(n):
        keep[q] = one - ((w[q] + e[q]) + (t[q] + s[q]))
    here, left, right, up, down = u[a:b], u[a - 1 : b - 1], u[a + 1 : b + 1], u[0:n], u[c : c + n]
    there, left2, right2, up2, down2 = v[a:b], v[a - 1 : b - 1], v[a + 1 : b + 1], v[0:n], v[c : c + n]
    for _ in range(n_steps):
        _explicit_step(there, here, left, right, up, down, w, e, t, s, keep)
        here, left, right, up, down, there, left2, right2, up2, down2 = (
            there, left2, right2, up2, down2, here, left, right, up, down
        )  # fmt: skip
    _copy_back(here, out)


@kernel
def steady_kernel(source, east, south, leak, largest, n_iter, out):
    """Solve (leak + L) x = leak source by `n_iter` Chebyshev steps; `largest` bounds L_ii and is positive.

    The eigenvalues lie in [leak, leak + 2 largest]. Chebyshev steps need no scalar products, so that,
    unlike conjugate gradients, they add nothing up in an order that a flip would change.
    """
    height, width = source.shape
    stride = width + 1
    n = height * stride
    none, one, gain = np.float32(0.0), np.float32(1.0), np.float32(leak)
    u = _lay_flat(source, none, FLOOR)
    v = _lay_flat(source, none, FLOOR)
    right_of = _lay_flat(east, one, none)
    below = _lay_flat(south, one, none)
    heat = _lay_flat(source, gain, gain * FLOOR)[stride : stride + n]
    a, b, c = stride, stride + n, 2 * stride
    e, w, s, t = right_of[a:b], right_of[a - 1 : b - 1], below[a:b], below[0:n]
    outflow = np.empty(n, np.float32)
    for q in range(n):
        outflow[q] = gain + ((w[q] + e[q]) + (t[q] + s[q]))
    here, left, right, up, down = u[a:b], u[a - 1 : b - 1], u[a + 1 : b + 1], u[0:n], u[c : c + n]
    there, left2, right2, up2, down2 = v[a:b], v[a - 1 : b - 1], v[a + 1 : b + 1], v[0:n], v[c : c + n]
    twice = 2.0 * (leak + largest) / largest
    rho = 2.0 / twice
    momentum, pull = none, np.float32(1.0 / (leak + largest))
    for _ in range(n_iter):
        _chebyshev_step(there, here, left, right, up, down, w, e, t, s, outflow, heat, momentum, pull)
        here, left, right, up, down, there, left2, right2, up2, down2 = (
            there, left2, right2, up2, down2, here, left, right, up, down
        )  # fmt: skip
        new = 1.0 / (twice - rho)
        momentum, pull = np.float32(new * rho), np.float32(2.0 * new / largest)
        rho = new
    _copy_back(here, out)


@kernel
def fuse_kernel(heat, prior, rho, heat_first, out):
    """Write rho heat + (1 - rho) prior over its largest value; `heat_first` divides the heat by its own before."""
    height, width = heat.shape
    none, one = np.float32(0.0), np.float32(1.0)
    largest = none
    if heat_first:
        for i in range(height):
            for j in range(width):
                largest = max(largest, heat[i, j])
    gain = np.float32(rho) / largest if largest > none else np.float32(rho)
    rest = one - np.float32(rho)
    largest = none
    for i in range(height):
        for j in range(width):
            out[i, j] = gain * heat[i, j] + rest * prior[i, j]
            largest = max(largest, out[i, j])
    if largest > none:
        for i in range(height):
            for j in range(width):
                out[i, j] /= largest
