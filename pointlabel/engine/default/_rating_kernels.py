"""What quality and presence are read from, and the small models that read them, for one target at a time."""

from __future__ import annotations

import math

import numpy as np

from ...compiled import kernel


@kernel
def sharpness_kernel(soft, mask, field):
    """Sums of the soft label inside and outside a mask, the mask's area, sums of the lower and higher of two fields.

    The two are the soft label and the vote, (S, S) float32.
    """
    inside, outside, lower, higher, area = 0.0, 0.0, 0.0, 0.0, 0
    for y in range(soft.shape[0]):
        n = np.int32(0)  # narrow, so that the compiler counts with vector instructions: most rows have none
        for x in range(soft.shape[1]):
            n = np.int32(n + np.int32(mask[y, x] or soft[y, x] > 0 or field[y, x] > 0))
        if n == 0:
            continue
        for x in range(soft.shape[1]):
            value, vote = soft[y, x], field[y, x]
            if mask[y, x]:
                inside += value
                area += 1
            else:
                outside += value
            lower += value if value < vote else vote
            higher += vote if value < vote else value
    return inside, outside, area, lower, higher


@kernel
def quality_input_kernel(soft, mask, field, summary, of_vote, out):
    """Write sharpness, agreement, ln area, and of the vote's summary the numbers at `of_vote`."""
    inside, outside, area, lower, higher = sharpness_kernel(soft, mask, field)
    out[0] = inside / max(area + outside, 1e-9)
    out[1] = lower / max(higher, 1e-9)
    out[2] = math.log(max(area, 1))
    for i in range(of_vote.shape[0]):
        out[3 + i] = summary[of_vote[i]]


@kernel
def expectation_kernel(features, share, names, out):
    """Expectations of the features `names` (I,) under the shares (K, L) of a vote, `out` (I,) float64."""
    out[:] = 0.0
    for k in range(share.shape[0]):
        for a in range(share.shape[1]):
            if share[k, a] > 0:
                for i in range(names.shape[0]):
                    out[i] += share[k, a] * features[k, a, names[i]]


@kernel
def standardise_kernel(inputs, centre, deviation, largest, out):
    """Write the inputs in deviations from their centre, cut at `largest` of them."""
    for i in range(inputs.shape[0]):
        out[i] = min(max((inputs[i] - centre[i]) / deviation[i], -largest), largest)


@kernel
def logit_kernel(inputs, centre, deviation, largest, coefficients, bias):
    """A linear model of the standardised inputs."""
    z = np.empty(inputs.shape[0])
    standardise_kernel(inputs, centre, deviation, largest, z)
    for i in range(z.shape[0]):
        bias += z[i] * coefficients[i]
    return bias


@kernel
def one_layer_kernel(inputs, centre, deviation, largest, hidden, hidden_bias, coefficients, bias):
    """A perceptron with one hidden layer of x sigmoid(x) on the standardised inputs."""
    z = np.empty(inputs.shape[0])
    standardise_kernel(inputs, centre, deviation, largest, z)
    units = hidden_bias.copy()
    for i in range(z.shape[0]):
        for h in range(units.shape[0]):
            units[h] += z[i] * hidden[i, h]
    for h in range(units.shape[0]):
        bias += coefficients[h] * units[h] / (1.0 + math.exp(-units[h]))
    return bias
