"""The shards of a run made one run: the function behind ``pointlabel merge``."""

from .merge import Merged, merge_shards

__all__ = ["Merged", "merge_shards"]
