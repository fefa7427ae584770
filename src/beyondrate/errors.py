"""What the user is told when an input cannot be used."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """An input that cannot be used: one sentence with the file, the value found and the remedy.

    >>> raise InputError("unit 700 is outside 0..699", remedy="set n_units to 701", file="a.npz")
    Traceback (most recent call last):
    beyondrate.errors.InputError: a.npz: unit 700 is outside 0..699; set n_units to 701
    """

    def __init__(self, problem: str, *, remedy: str, file: str | Path | None = None) -> None:
        place = f"{file}: " if file is not None else ""
        super().__init__(f"{place}{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.file = file

    def in_file(self, file: str | Path) -> InputError:
        """Return the same error, naming the file it was found in."""
        return InputError(self.problem, remedy=self.remedy, file=file)


class MissingExtraError(ImportError):
    """A part of the package needs a library that is installed by one of its extras.

    >>> raise MissingExtraError("speech synthesis", "speech")
    Traceback (most recent call last):
    beyondrate.errors.MissingExtraError: speech synthesis needs an extra; pip install "beyondrate[speech]"
    """

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f'{purpose} needs an extra; pip install "beyondrate[{extra}]"')
