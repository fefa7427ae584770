"""beyondrate encode."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Annotated

import typer

from beyondrate.cli.arguments import Seed
from beyondrate.cli.terminal import err_console, out_console, progress_shown
from beyondrate.errors import InputError


def encode(
    files: Annotated[str, typer.Argument(help='Audio files, as a quoted pattern: "speech/*.wav".')],
    labels: Annotated[str, typer.Option(help='What file names say: "{label}_{speaker}_{take}".')],
    out: Annotated[Path, typer.Option(help="Event file to write, .h5 or .npz.")],
    group: Annotated[str, typer.Option(help="The field of the names that groups the samples.")] = "speaker",
    channels: Annotated[int, typer.Option(help="Cochlea channels.", min=2)] = 700,
    membrane: Annotated[str, typer.Option(help="causal, or heidelberg (reversed in time).")] = "causal",
    workers: Annotated[int | None, typer.Option(help="Files side by side (one a processor).", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Turn sound into spikes: a cochlea with hair cells and bushy cells, causal and seeded."""
    from beyondrate import storage
    from beyondrate.audio.corpus import encode_files
    from beyondrate.audio.encoder import Encoder

    paths = sorted(Path(name) for name in glob.glob(files, recursive=True))  # noqa: PTH207 (patterns with folders)
    if not paths:
        raise InputError("no file matches", remedy="check the pattern, and quote it", file=files)
    storage.check_writable(out)
    encoder = Encoder(n_channels=channels, membrane=membrane, seed=seed)
    with progress_shown() as progress:
        trains = encode_files(
            paths, labels, encoder=encoder, group_field=group, workers=workers, progress=progress
        )
    storage.save(trains, out)
    out_console.print(f"{out}: {trains!r}", highlight=False)
    for name, reason in trains.meta.get("failed", {}).items():
        err_console.print(f"left out {name}: {reason}", style="yellow", highlight=False, markup=False)
