"""beyondrate encode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from beyondrate.cli.arguments import Force, Seed
from beyondrate.cli.files import check_output, check_picture
from beyondrate.cli.terminal import KEPT, err_console, out_console, progress_shown

MOST_LEFT_OUT = 20  # recordings that are named one by one


def encode(
    files: Annotated[
        list[str], typer.Argument(help='Sound files, folders, and quoted patterns such as "speech/*.wav".')
    ],
    labels: Annotated[
        str,
        typer.Option(help='What names say: "{label}_{speaker}_{take}"; or a .csv with columns file, label.'),
    ],
    out: Annotated[Path, typer.Option(help="Event file to write, .h5, .npz or .csv.")],
    group: Annotated[
        str | None, typer.Option(help="Field or column that groups the samples (speaker or group).")
    ] = None,
    format: Annotated[str | None, typer.Option(help="h5 (ours), shd (SHD's layout) or npz.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what a stopped run has left.")] = False,
    clip: Annotated[
        float | None, typer.Option(help="Cut recordings into samples of so many seconds.")
    ] = None,
    raster: Annotated[Path | None, typer.Option(help="Draw some samples: a .png, .pdf or .svg.")] = None,
    channels: Annotated[int, typer.Option(help="Cochlea channels.", min=2)] = 700,
    low: Annotated[float | None, typer.Option(help="Frequency of the last channel in Hz (110).")] = None,
    high: Annotated[float | None, typer.Option(help="Frequency of channel 0 in Hz (22507).")] = None,
    rate: Annotated[
        int, typer.Option(help="Steps a second inside: 24000, or 12000 at half the cost.")
    ] = 24_000,
    membrane: Annotated[str, typer.Option(help="causal, or heidelberg (reversed in time).")] = "causal",
    level: Annotated[
        float, typer.Option(help="Root mean square of every sound; 0 leaves it as it is.")
    ] = 0.3,
    ramp: Annotated[float, typer.Option(help="Seconds of fading in and out.")] = 0.03,
    fibres: Annotated[int, typer.Option(help="Nerve fibres a channel.", min=1, max=63)] = 40,
    workers: Annotated[int | None, typer.Option(help="Files side by side (one a processor).", min=1)] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Turn sound into spikes: a cochlea with hair cells and bushy cells, causal and seeded."""
    from beyondrate import storage
    from beyondrate.audio.catalogue import sound_paths
    from beyondrate.audio.corpus import encode_to_file, parts_folder
    from beyondrate.audio.encoder import Encoder

    if raster is not None:
        check_picture(raster)
    sounds = sound_paths(files)
    goes_on = resume and parts_folder(out).exists()
    check_output(out, [*sounds, Path(labels)], force=force or goes_on, format=format)
    encoder = Encoder(
        channels,
        low_hz=low,
        high_hz=high,
        rate_hz=rate,
        membrane=membrane,
        level=level or None,
        ramp_s=ramp,
        n_fibres=fibres,
        seed=seed,
    )
    with progress_shown(KEPT) as progress:
        made = encode_to_file(
            sounds,
            labels,
            out,
            encoder=encoder,
            group=group,
            clip_s=clip,
            format=format,
            resume=resume,
            workers=workers,
            progress=progress,
        )
    out_console.print(f"{out}: {made}", highlight=False, soft_wrap=True)
    if raster is not None:
        from beyondrate.audio.picture import draw_rasters

        with storage.opened(out) as trains:
            draw_rasters(trains, encoder.characteristic_hz(), raster)
        out_console.print(f"{raster}: the first sample of some classes", highlight=False, soft_wrap=True)
    _print_warnings(made.meta)


def _print_warnings(meta: Mapping[str, object]) -> None:
    sentences: list[str] = meta["warnings"]  # type: ignore[assignment]
    for sentence in sentences:
        err_console.print(f"Warning: {sentence}.", style="yellow", highlight=False, markup=False)
    failed: dict[str, str] = meta["failed"]  # type: ignore[assignment]
    if not failed:
        return
    table = Table("left out", "why")
    for name, reason in list(failed.items())[:MOST_LEFT_OUT]:
        table.add_row(name, reason)
    err_console.print(table, highlight=False, markup=False)
    n_unnamed = len(failed) - MOST_LEFT_OUT
    rest = f", {n_unnamed:,} of them not listed here" if n_unnamed > 0 else ""
    recordings = "recording was" if len(failed) == 1 else "recordings were"
    err_console.print(
        f'{len(failed):,} {recordings} left out{rest}; meta["failed"] of the file names them all.',
        style="yellow",
        highlight=False,
        markup=False,
    )
