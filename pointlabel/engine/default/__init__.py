"""The default method, one step a file from `window` to `border`; then `quality` and `presence`. `label` runs them."""
