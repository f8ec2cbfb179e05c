"""The level set of Click on Mask."""
