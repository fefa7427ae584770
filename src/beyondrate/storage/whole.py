"""HDF5 files whose writing either ends well or raises: HDF5 itself loses data silently on a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Give a new HDF5 file at ``path``, readable by HDF5 1.10 and newer.

    Raises:
        OSError: the first failure to write, once HDF5 has closed the file.
    """
    with _Stubborn(path, "w+b") as stream:
        try:
            with h5py.File(stream, "w", libver=("v110", "v110")) as file:
                yield file
        finally:
            if stream.failure is not None:
                raise stream.failure


class _Stubborn(io.FileIO):
    """A file that always claims to have written; it keeps the first failure for later.

    When a write fails HDF5 goes on, drops the data when it closes a dataset, and crashes when Python ends.
    """

    failure: BaseException | None = None

    def write(self, data: Any, /) -> int:  # noqa: ANN401
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while self.failure is None and len(rest):
                rest = rest[super().write(rest) :]
        except BaseException as error:  # Ctrl-C too must not reach HDF5
            self.failure = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0
