"""Diffuse to Detect (arXiv 2605.20766), twice: as its paper writes it, and as its published code runs."""
