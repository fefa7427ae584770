"""The commands: parsing and printing only, one file a group of commands."""

from __future__ import annotations

import sys

import typer

from beyondrate.cli import audit, bench, data, encode, perturb, reproduce, train, variant
from beyondrate.cli.terminal import STOPPED, err_console
from beyondrate.errors import InputError, MissingExtraError

app = typer.Typer(
    help="Audit event data and models for how much of their accuracy is spike timing and how much is rate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(audit.audit)
app.command()(encode.encode)
app.add_typer(data.app, name="data")
app.add_typer(variant.app, name="variant")
app.add_typer(perturb.app, name="perturb")
app.command()(train.train)
app.command()(train.test)
app.command()(reproduce.reproduce)
app.command()(bench.bench)


def main() -> None:
    """Run the command line; exit status 0 is done, 2 bad input or usage, 130 stopped by the user."""
    try:
        app()
    except (InputError, MissingExtraError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: {error.strerror or error}; choose another place")
    except KeyboardInterrupt:
        sys.exit(STOPPED)


def _fail(message: str) -> None:
    err_console.print(
        f"beyondrate: {message}", style="bold red", highlight=False, markup=False, soft_wrap=True
    )
    sys.exit(2)
