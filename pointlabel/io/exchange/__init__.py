"""Masks as other tools have them: one file per format, each of which reads and writes `base.ImageMasks`."""
