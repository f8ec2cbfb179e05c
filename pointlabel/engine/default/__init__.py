"""The default method, one step a file: window, regions, vote, heat, refine, border, quality; `label` runs them."""
