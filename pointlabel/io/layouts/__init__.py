"""How published data sets lay out their images, masks, points and lists of ids: found by what a folder holds."""
