"""A folder of work through a pool of workers."""
