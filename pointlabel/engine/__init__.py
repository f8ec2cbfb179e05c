"""Our annotation engine: one step a file, kernels beside."""
