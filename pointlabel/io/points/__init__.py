"""Point files: one reader per format."""
