"""``pointlabel connect``: a server for a program in which people click already."""

from __future__ import annotations

import click

from .config_file import config_option_of, method_params
from .console import compile_in_background, needs_extra, say
from .options import polarity_option, style_option, tightness_option


@click.command()
@click.argument("tool", metavar="TOOL", type=click.Choice(["x-anylabeling", "label-studio"]))
@click.option(
    "--images",
    metavar="IMAGES",
    type=click.Path(),
    help="The images that the tasks of Label Studio name; needed there.",
)
@tightness_option()
@style_option
@polarity_option
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    help="0 takes a free one; by default that of the tool: 8000 for X-AnyLabeling, 9090 for Label Studio.",
)
@config_option_of("annotate")
@click.pass_context
def connect(
    ctx: click.Context,
    tool: str,
    images: str | None,
    tightness: float,
    style: str | None,
    polarity: str,
    port: int | None,
) -> None:
    """Answer the clicks of another program with masks.

    TOOL is x-anylabeling (its remote server) or label-studio (an ML backend). The server listens on this machine alone,
    keeps nothing, and writes nothing: what is labelled stays in the tool. Ctrl-C ends it.

    Exit codes: 0 ended by Ctrl-C, 2 wrong arguments or input.

    \b
    Examples:
        pointlabel connect x-anylabeling
        pointlabel connect label-studio --images data/images
    """
    from pointlabel.folder import RunSettings

    with needs_extra("web"):
        from pointlabel.serve.doors import serve_door
    params = method_params(ctx, style=style)
    settings = RunSettings(params=params, tightness=tightness, polarity=polarity)
    compile_in_background()

    def ready(address: str) -> None:
        say(f"{tool} can ask at this address; Ctrl-C ends")
        click.echo(address)

    try:
        serve_door(tool, settings, images, port, ready, lambda error: say(f"refused: {error}"))
    except KeyboardInterrupt:
        say("ended")
