"""Compiled core of the dense CRF: exact sums over all pairs of pixels of a window."""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def pair_sum_kernel(grey, by_distance, by_step, values, out):
    """out_i = sum over all j, i itself too, of k_ij values_j.

    k_ij = by_distance[|dy|] by_distance[|dx|] by_step[|dI|].
    `grey` (h, w) int64 in 0 .. 255; the tables hold Gaussians of the distance and of the step in grey levels.
    """
    height, width = grey.shape
    for i in range(height):
        for j in range(width):
            total = 0.0
            for y in range(height):
                row = 0.0
                for x in range(width):
                    row += by_distance[abs(x - j)] * by_step[abs(grey[y, x] - grey[i, j])] * values[y, x]
                total += by_distance[abs(y - i)] * row
            out[i, j] = total


@njit(cache=True)
def mean_field_kernel(unary, grey, by_distance, by_step, compatibility, n_iter, probability):
    """Mean-field inference for two labels; write the probability of the second one.

    `unary` (h, w) is the energy of the first label minus the energy of the second. The kernel is normalised
    symmetrically, n_i k_ij n_j with n_i = 1 / sqrt(sum_j k_ij), and the labels that agree are favoured (Potts).
    """
    height, width = grey.shape
    ones = np.ones((height, width))
    norm = np.empty((height, width))
    pair_sum_kernel(grey, by_distance, by_step, ones, norm)
    values = np.empty((height, width))
    message = np.empty((height, width))
    for i in range(height):
        for j in range(width):
            norm[i, j] = 1.0 / math.sqrt(norm[i, j])
            probability[i, j] = 1.0 / (1.0 + math.exp(-unary[i, j]))
    for _ in range(n_iter):
        for i in range(height):
            for j in range(width):
                values[i, j] = norm[i, j] * (2.0 * probability[i, j] - 1.0)
        pair_sum_kernel(grey, by_distance, by_step, values, message)
        for i in range(height):
            for j in range(width):
                score = unary[i, j] + compatibility * norm[i, j] * message[i, j]
                probability[i, j] = 1.0 / (1.0 + math.exp(-min(max(score, -700.0), 700.0)))
