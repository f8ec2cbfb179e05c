"""Monte Carlo linear clustering."""
