"""``pointlabel serve``: a page on which a click becomes a mask."""

from __future__ import annotations

from typing import Any

import click

from .config_file import config_option_of, config_params, method_params
from .console import compile_in_background, needs_extra, say
from .options import OutputFolder, origin_option, points_options, polarity_option, style_option, tightness_option


@click.command()
@click.argument("images", metavar="DATASET|IMAGES", type=click.Path())
@points_options
@click.option("-o", "--out", type=OutputFolder(), help="Output folder; by default IMAGES-labels, beside the images.")
@tightness_option(None)
@style_option
@polarity_option
@origin_option
@click.option("--soft", is_flag=True, help="Write 16-bit soft labels to OUT/soft.")
@click.option("--instances", is_flag=True, help="Write 16-bit instance numbers to OUT/instances.")
@click.option("--run", "run_folder", metavar="RUN", type=click.Path(), help="Propose targets by a run of train.")
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the link, and open no browser.")
@config_option_of("annotate")
@click.pass_context
def serve(
    ctx: click.Context,
    images: str,
    points: str | None,
    points_format: str | None,
    allow_pickle: bool,
    out: str | None,
    tightness: float | None,
    style: str | None,
    polarity: str,
    origin: str,
    soft: bool,
    instances: bool,
    run_folder: str | None,
    port: int,
    no_browser: bool,
) -> None:
    """Open a page on which a click becomes a mask.

    DATASET is in a layout that inspect knows. IMAGES is a folder (searched with its sub-folders), one file, or a quoted
    glob. The page is served to this machine
    alone, under a link with a token. OUT gets masks/ and manifest.jsonl as annotate writes them, clicks.csv, and
    journal.jsonl, from which the next serve goes on. A run of annotate in OUT is gone on with, too. Ctrl-C ends it.

    Exit codes: 0 ended by Ctrl-C, 1 the output could not be written, 2 wrong arguments or input.

    \b
    Example:
        pointlabel serve data/images
        pointlabel serve data/images -p clicks.csv -o out --config style.toml
    """
    import os
    import sys
    import webbrowser

    from pointlabel.errors import InputError
    from pointlabel.folder import RunSettings
    from pointlabel.io.datasets import locate_parts
    from pointlabel.io.images import list_images
    from pointlabel.io.layouts.rules import image_place
    from pointlabel.io.remote import is_uri
    from pointlabel.session import open_session

    with needs_extra("web"):
        from pointlabel.serve import serve_session
    images, points = (image_place(images), None) if points is None else locate_parts(images, points)[:2]
    if out is None:
        if is_uri(images):
            raise InputError(f"{images}: for images at a URI give --out, a folder of this machine")
        root = images if os.path.isdir(images) else list_images(images).root
        out = f"{os.path.abspath(root)}-labels"
    outputs = tuple(name for name, wanted in (("soft", soft), ("instances", instances)) if wanted)
    is_given = ctx.get_parameter_source("polarity") is not click.core.ParameterSource.DEFAULT
    settings = None  # those of what is in OUT
    if config_params(ctx) or style or outputs or is_given or tightness is not None:
        params = method_params(ctx, style=style)
        settings = RunSettings(
            params=params, tightness=0.5 if tightness is None else tightness, polarity=polarity, outputs=outputs
        )
    compile_in_background()

    n_said = 0

    def ready(link: str) -> None:
        nonlocal n_said
        n_images = len(session.items)
        say(f"{n_images} image{'' if n_images == 1 else 's'}; what is done goes to {out}; Ctrl-C ends")
        for note in session.notes:
            say(f"note: {note}")
        n_said = len(session.notes)
        click.echo(link)
        has_screen = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
        if has_screen and not no_browser:  # without one, a browser of the terminal would take it
            webbrowser.open(link)

    given: Any = {"origin": origin, "points_format": points_format, "allow_pickle": allow_pickle}
    with open_session(images, out, settings, points=points, **given) as session:
        finder = None
        if run_folder is not None:
            with needs_extra("train"):
                from pointlabel.session.trained import open_detector
            finder = open_detector(run_folder)
        try:
            serve_session(session, out, port, ready, finder)
        except KeyboardInterrupt:
            for note in session.notes[n_said:]:
                say(f"note: {note}")
            say("ended; everything is written")
