"""The dense conditional random field (Krähenbühl and Koltun, 2011), its sums over pairs exact or on a lattice."""

#: How it takes the sums over all pairs of pixels.
CRF_SUMS = ("exact", "lattice")
