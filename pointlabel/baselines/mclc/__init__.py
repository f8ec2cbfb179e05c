"""Monte Carlo linear clustering (Li et al., ICCV 2023)."""
