"""Diffuse to Detect, twice: as its paper writes it, with its ablations, and as its published code runs."""
