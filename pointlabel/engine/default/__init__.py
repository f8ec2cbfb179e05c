"""The default method, a step a file: window, regions, vote, heat, refine, border, quality, presence; `label` runs them."""
