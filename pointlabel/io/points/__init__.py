"""Point files: one reader a format."""
