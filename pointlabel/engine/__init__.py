"""Our annotation engine, one step per file; its equations are those of "Diffuse to Detect" (arXiv 2605.20766)."""
