"""Tables of README and docs by subject, each a function that reads stored results."""
