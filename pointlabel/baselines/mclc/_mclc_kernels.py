"""Compiled core of Monte Carlo linear clustering (ICCV 2023): each noisy copy of a window, its SLIC and its vote.

SLIC is scikit-image's: seeds on a grid, clusters that reach two steps, parts below half a cell merged. Sums are whole
numbers, so that a pixel that changes its cluster is taken from one sum and added to another without round-off.
"""

import math

import numpy as np

from ...compiled import kernel

#: Colours are kept in whole parts of 1 / UNIT of CIELAB, which float32 holds exactly.
UNIT = 65536.0

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)


@kernel
def draw_kernel(state):
    """Next number of SplitMix64 (Steele, Lea and Flood, 2014) in (0, 1]; `state` (1,) uint64 moves on."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    z = z ^ (z >> np.uint64(31))
    return (np.float64(z >> np.uint64(11)) + 1.0) * (1.0 / 9007199254740992.0)


@kernel
def salt_kernel(state, n, density, hits):
    """Choose each of `n` places with probability `density`; write the chosen ones into `hits`, return their number.

    The gaps between them are drawn: they follow a geometric distribution.
    """
    if density <= 0.0:
        return 0
    scale = 1.0 / math.log(1.0 - density) if density < 1.0 else 0.0
    found, place = 0, -1.0
    while True:
        place += 1.0 + math.floor(math.log(draw_kernel(state)) * scale)
        if place >= n:
            return found
        hits[found] = int(place)
        found += 1


@kernel
def _linear(value):
    """Intensity of an sRGB value in [0, 1]."""
    return ((value + 0.055) / 1.055) ** 2.4 if value > 0.04045 else value / 12.92


@kernel
def _bend(value):
    """The cube root of CIELAB with its straight part."""
    return np.cbrt(value) if value > 0.008856 else 7.787 * value + 16.0 / 116.0


@kernel
def lab_kernel(levels, low, high, table):
    """CIELAB (D65, 2 degrees) of grey levels whose channels may be salted.

    `levels` (n,) in 0 .. 255 are stretched from `low` .. `high` to 0 .. 1 and put into all three channels, but for the
    salted ones, which are 1: bit c of the second index says that channel c is salted. `table` (n, 8, 3) int32 gets
    L, a and b in units of 1 / UNIT.
    """
    for n in range(levels.size):
        grey = _linear((levels[n] - low) / (high - low)) if high > low else 0.0
        white = _linear((255.0 - low) / (high - low)) if high > low else 0.0
        for salted in range(8):
            r = white if salted & 1 else grey
            g = white if salted & 2 else grey
            b = white if salted & 4 else grey
            x = _bend((0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.95047)
            y = _bend(0.212671 * r + 0.715160 * g + 0.072169 * b)
            z = _bend((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.08883)
            table[n, salted, 0] = int(np.rint(UNIT * (116.0 * y - 16.0)))
            table[n, salted, 1] = int(np.rint(UNIT * (500.0 * (x - y))))
            table[n, salted, 2] = int(np.rint(UNIT * (200.0 * (y - z))))


@kernel
def seed_kernel(height, width, seed_rows, seed_columns, reach_y, reach_x, nearest):
    """First assignment, by the distance from the seeds alone; of equally near ones the first."""
    for i in range(height):
        for j in range(width):
            best, k = np.int64(1) << 60, 0
            for y in seed_rows:
                for x in seed_columns:
                    d = (i - y) * (i - y) + (j - x) * (j - x)
                    if d < best and abs(i - y) <= reach_y and abs(j - x) <= reach_x:
                        best = d
                        nearest[i * width + j] = k
                    k += 1


@kernel(fastmath={"contract"})
def _claim(start, stop, features, centre, left, right, k, best, nearest):
    """Let cluster k claim the pixels start .. stop, left < column < right, that it is nearer to than those before.

    The square of the pixel's own vector is left out of the distance: it is the same for all clusters.
    """
    lights, reds, blues = features[0][start:stop], features[1][start:stop], features[2][start:stop]
    rows, columns = features[3][start:stop], features[4][start:stop]
    best, nearest = best[start:stop], nearest[start:stop]
    base = np.float32(0.0)
    for m in range(5):
        base += centre[m] * centre[m]
    two = np.float32(-2.0)
    ml, ma, mb, my, mx = two * centre[0], two * centre[1], two * centre[2], two * centre[3], two * centre[4]
    for q in range(best.size):
        d = base + ml * lights[q] + ma * reds[q] + mb * blues[q] + my * rows[q] + mx * columns[q]
        nearer = (d < best[q]) & (columns[q] > left) & (columns[q] < right)
        if nearer:
            best[q] = d
            nearest[q] = k


@kernel
def cluster_kernel(codes, features, shape, reach, scale, n_iter, sums, nearest, best, before, moved):
    """Iterate SLIC from the assignment `nearest` (n,) int32 with its `sums` (k, 6) int64; return the iterations.

    `codes` (n, 6) int32 hold what a pixel adds to its cluster's sums: 1, L, a, b in units of 1 / UNIT, row, column.
    `features` (5, n) float32 hold L, a, b, and row and column from the window's middle, times `scale`. A cluster
    reaches the pixels within `reach` of its centre. The assignment of the seeds counts as the first iteration.
    `best`, `before` and `moved` are work space.
    """
    height, width = shape
    centre = np.empty(5, np.float32)
    middle_y, middle_x = 0.5 * (height - 1), 0.5 * (width - 1)
    gain = 1.0 / UNIT
    for step in range(1, n_iter):
        for q in range(nearest.size):
            best[q] = np.inf
            before[q] = nearest[q]
        for k in range(sums.shape[0]):
            if sums[k, 0] == 0:
                continue
            share = 1.0 / sums[k, 0]
            y, x = sums[k, 4] * share, sums[k, 5] * share
            for m in range(3):
                centre[m] = gain * share * sums[k, 1 + m]
            centre[3], centre[4] = scale * (y - middle_y), scale * (x - middle_x)
            top, bottom = int(max(y - reach[0], 0)), int(min(y + reach[0] + 1, height))
            left, right = int(max(x - reach[1], 0)), int(min(x + reach[1] + 1, width))
            _claim(
                top * width, bottom * width, features, centre,
                np.float32(scale * (left - 0.5 - middle_x)), np.float32(scale * (right - 0.5 - middle_x)), np.int32(k),
                best, nearest,
            )  # fmt: skip
        n_moved = 0
        for q in range(nearest.size):
            moved[n_moved] = q
            n_moved += nearest[q] != before[q]
        if n_moved == 0:
            return step + 1
        for place in range(n_moved):
            q = moved[place]
            old, new = np.uint32(before[q]), np.uint32(nearest[q])  # unsigned: no index is looked at from the end
            for m in range(6):
                sums[old, m] -= codes[q, m]
                sums[new, m] += codes[q, m]
    return n_iter


@kernel
def connect_kernel(nearest, height, width, least, most, parts, queue):
    """Give each 4-connected part of a cluster a number from 1; small ones take that of a neighbour.

    Parts are met in raster order. One below `least` pixels takes the number of the last numbered neighbour that the
    search meets, one of `most` pixels is cut off there. `parts` ((height + 2) (width + 2),) int32 has a margin of one
    pixel; it gets minus the number of the part. `queue` (n,) uint64 is work space.
    """
    wide, one = np.uint64(width + 2), np.uint64(1)  # unsigned: no index is looked at from the end
    for q in range(parts.size):
        parts[q] = 0
    for i in range(height):
        start = (i + 1) * (width + 2) + 1
        inside, clusters = parts[start : start + width], nearest[i * width : (i + 1) * width]
        for j in range(width):
            inside[j] = clusters[j] + 1
    number = np.int32(-1)
    for begin in range(width + 3, parts.size - width - 3):
        start = np.uint64(begin)
        label = parts[start]
        if label <= 0:  # numbered, or the margin
            continue
        neighbour = number
        parts[start] = number
        queue[0] = start
        size, done = np.uint64(1), np.uint64(0)
        while done < size and size < most:
            here = queue[done]
            done += one
            for side in range(4):
                other = (
                    here + one if side == 0 else here - one if side == 1 else here + wide if side == 2 else here - wide
                )
                value = parts[other]
                if value == label:
                    parts[other] = number
                    queue[size] = other
                    size += one
                    if size >= most:
                        break
                elif value < 0 and value != number:
                    neighbour = value
        if size < least:
            for k in range(size):
                parts[queue[k]] = neighbour
        else:
            number = np.int32(number - 1)


@kernel
def paint(q, salted, shades, k, codes, features, sums):
    """Give pixel q, which counts for cluster k, the colour that it has with the salted channels."""
    for m in range(3):
        code = shades[salted, m]
        sums[k, 1 + m] += code - codes[q, 1 + m]
        codes[q, 1 + m] = code
        features[m, q] = np.float32(1.0 / UNIT) * np.float32(code)


@kernel
def vote_kernel(
    grey, row, column, seed_rows, seed_columns, reach, spatial, sizes, n_repeats, density, n_iter, state, votes
):
    """Votes of `n_repeats` salted copies of a window for the cell that holds the pixel (row, column).

    `grey` (h, w) uint8; seeds of the clusters at all pairs of `seed_rows` and `seed_columns`; `spatial` is the weight
    of a pixel's distance against one of CIELAB; `sizes` the smallest and largest part in pixels. `state` (1,)
    uint64 of the generator moves on. `votes` (h, w) int32 gets how many copies have the pixel in the point's cell.
    """
    height, width = grey.shape
    n = height * width
    n_clusters = len(seed_rows) * len(seed_columns)
    rank = np.full(256, -1, np.int64)
    counts = np.zeros(256, np.int64)
    for i in range(height):
        for j in range(width):
            votes[i, j] = 0
            counts[grey[i, j]] += 1
    levels = np.flatnonzero(counts)
    for k in range(levels.size):
        rank[levels[k]] = k
    lowest, highest = levels[0], levels[-1]
    table = np.empty((levels.size, 8, 3), np.int32)
    table_low, table_high = -1, -1

    ranks = np.empty(n, np.int64)
    features = np.empty((5, n), np.float32)
    for i in range(height):
        for j in range(width):
            q = i * width + j
            ranks[q] = rank[grey[i, j]]
            features[3, q] = spatial * (i - 0.5 * (height - 1))
            features[4, q] = spatial * (j - 0.5 * (width - 1))
    first = np.zeros(n, np.int32)
    seed_kernel(height, width, seed_rows, seed_columns, reach[0], reach[1], first)

    clean_sums = np.empty((n_clusters, 6), np.int64)
    codes = np.empty((n, 6), np.int32)
    sums = np.empty((n_clusters, 6), np.int64)
    nearest, before, best = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32)
    moved = np.empty(n + 1, np.uint64)
    size = (height + 2) * (width + 2)
    parts, queue = np.empty(size, np.int32), np.empty(n, np.uint64)
    hits = np.empty(3 * n, np.int64)
    salted = np.zeros(n, np.uint8)
    gain = np.float32(1.0 / UNIT)
    for _ in range(n_repeats):
        n_hits = salt_kernel(state, 3 * n, density, hits)
        low, high = lowest, (255 if n_hits > 0 else highest)
        n_low = 0
        for k in range(n_hits):
            q = hits[k] // 3
            salted[q] |= np.uint8(1 << (hits[k] - 3 * q))
            n_low += ranks[q] == 0
        if n_low == 3 * counts[lowest]:  # no channel of the darkest pixels is left
            low = 255
            for q in range(n):
                if salted[q] != 7:
                    low = min(low, levels[ranks[q]])
        if low != table_low or high != table_high:
            table_low, table_high = low, high
            lab_kernel(levels, float(low), float(high), table)
            clean_sums[:] = 0
            for q in range(n):
                k = first[q]
                codes[q, 0], codes[q, 4], codes[q, 5] = 1, q // width, q % width
                for m in range(3):
                    codes[q, 1 + m] = table[ranks[q], 0, m]
                    features[m, q] = gain * np.float32(table[ranks[q], 0, m])
                for m in range(6):
                    clean_sums[k, m] += codes[q, m]
        sums[:] = clean_sums
        nearest[:] = first
        for k in range(n_hits):
            q = hits[k] // 3
            paint(q, salted[q], table[ranks[q]], first[q], codes, features, sums)
        cluster_kernel(codes, features, (height, width), reach, spatial, n_iter, sums, nearest, best, before, moved)
        for k in range(n_hits):
            q = hits[k] // 3
            salted[q] = 0
            paint(q, 0, table[ranks[q]], first[q], codes, features, sums)
        connect_kernel(nearest, height, width, np.uint64(sizes[0]), np.uint64(sizes[1]), parts, queue)
        mine = parts[(row + 1) * (width + 2) + column + 1]
        for i in range(height):
            start = (i + 1) * (width + 2) + 1
            cells = parts[start : start + width]
            for j in range(width):
                votes[i, j] += cells[j] == mine
