"""The parts of the bi-level method: dynamics, meta-classifier, hypergradients, the diffusion's theta, difficulty."""
