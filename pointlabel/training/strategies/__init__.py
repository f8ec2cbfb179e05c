"""Where labels come from and how they and the samples' weights change, one strategy a file; `..registry` lists them."""
