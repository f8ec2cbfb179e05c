"""``pointlabel merge``: the shards of a run made one run."""

from __future__ import annotations

import click

from .console import say


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(exists=True, file_okay=False))
@click.pass_context
def merge(ctx: click.Context, out: str) -> None:
    """Make one run of the shards that annotate or predict wrote to OUT with --shard I/N.

    It checks that all N shards are there and have finished, with the same settings and inputs, that no image is missing
    or double, and that all files are as they were written. Then OUT is as a run without --shard leaves it. A merge that
    was stopped can be run again.

    Exit codes: 0 done, 1 the output could not be written, 2 shards are missing or do not go together, 3 some images
    failed.

    \b
    Example:
        pointlabel annotate data -o out --shard 1/2
        pointlabel annotate data -o out --shard 2/2
        pointlabel merge out
    """
    from pointlabel.shards import merge_shards

    merged = merge_shards(out)
    if not merged.n_shards:
        say(f"{out} is one run already")
        return
    for path in merged.changed:
        say(f"warning: {path}: changed since a shard wrote it; it is kept")
    failed = f", of which {merged.n_errors} failed" if merged.n_errors else ""
    say(f"joined in {out}: shards {merged.n_shards}, images {merged.n_images}{failed}")
    if merged.n_errors:
        ctx.exit(3)
