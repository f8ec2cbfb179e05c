"""The dense conditional random field, its sums over pairs exact or on the permutohedral lattice."""

#: How it takes the sums over all pairs of pixels.
CRF_SUMS = ("exact", "lattice")
