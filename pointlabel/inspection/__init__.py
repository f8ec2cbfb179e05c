"""A data set looked through: how it is laid out, what it holds, and what is wrong with it."""
