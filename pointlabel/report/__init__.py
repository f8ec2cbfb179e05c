"""Reports to look at: one HTML file each, with its pictures inside and nothing to fetch."""
