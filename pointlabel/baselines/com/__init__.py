"""The level set of "Click on Mask" (Li et al., IEEE SPL 2024)."""
