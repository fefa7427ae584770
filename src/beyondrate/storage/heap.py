"""Variable-length HDF5 data, read without HDF5's own reader of them.

HDF5 trusts the lengths and heaps that it finds: one flipped bit makes it allocate gigabytes or walk in a
circle for ever. Here each length, address and size is compared with the file before it is used. What is read:
entries of 16 bytes (length, heap address, object number) and the global heaps that they point to, as the HDF5
file format specification lays them out (section III.E, "Disk Format: Level 1E - Global Heap").
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np
from jaxtyping import Int64

from beyondrate.errors import InputError
from beyondrate.storage.guards import DAMAGED, most_unpacked

_ENTRY = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_HEAP_SIGNATURE = b"GCOL\1\0\0\0"
_HEADER = 16  # bytes before the objects of a heap, and before the data of each object


class VariableLength:
    """The entries of a flat variable-length dataset: their lengths, and where in the file they lie.

    Raises:
        InputError: if an entry points outside the file or to something of another size, or all entries
            together claim more than the file holds.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        kind = h5py.check_vlen_dtype(dataset.dtype)
        self.element = kind if isinstance(kind, np.dtype) else np.dtype("S1")  # a string: a row of bytes
        self.path = Path(dataset.file.filename)
        size = self.path.stat().st_size
        with self.path.open("rb") as stream:
            entries = _entries(dataset, stream)
            heaps = {
                address: _objects(stream, address, size)
                for address in np.unique(entries["address"][entries["length"] > 0]).tolist()
            }
        self.lengths = entries["length"].astype(np.int64)
        self._places = [
            heaps[address].get(number, (0, 0)) if length else (0, 0)
            for length, address, number in entries.tolist()
        ]
        stored = np.array([size for _, size in self._places], np.int64)
        wrong = stored != self.lengths * self.element.itemsize
        if wrong.any():
            entry = int(np.argmax(wrong))
            raise InputError(
                f"entry {entry} of {dataset.name} claims {self.lengths[entry]} values, "
                f"but {stored[entry]} bytes are stored",
                remedy=DAMAGED,
            )
        if stored.sum() > size:  # entries that share what is stored
            raise InputError(f"{dataset.name} claims more than the {size} bytes of the file", remedy=DAMAGED)

    def read(self, entries: Int64[np.ndarray, " chosen"]) -> np.ndarray:
        """Return the entries of the given numbers, joined."""
        joined = np.empty(int(self.lengths[entries].sum()), self.element)
        rest = joined.view(np.uint8).data
        with self.path.open("rb") as stream:
            for entry in entries.tolist():
                start, size = self._places[entry]
                stream.seek(start)
                if stream.readinto(rest[:size]) != size:
                    raise InputError(f"ends before byte {start + size}", remedy=DAMAGED)
                rest = rest[size:]
        return joined


def _entries(dataset: h5py.Dataset, stream: BinaryIO) -> np.ndarray:
    """Return length, heap address and object number of each entry."""
    entries = np.zeros(len(dataset), _ENTRY)
    if dataset.file.userblock_size or dataset.file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError("is HDF5 with unusual addresses", remedy="write it again with h5py or h5repack")
    if dataset.chunks is None:
        stream.seek(dataset.id.get_offset() or 0)
        entries[:] = np.frombuffer(stream.read(entries.nbytes), _ENTRY)
        return entries
    for number in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(number)
        stream.seek(chunk.byte_offset)
        part = np.frombuffer(_unfiltered(stream.read(chunk.size), chunk.filter_mask, dataset), _ENTRY)
        first = chunk.chunk_offset[0]
        entries[first : first + dataset.chunks[0]] = part[: len(entries) - first]
    return entries


def _unfiltered(stored: bytes, mask: int, dataset: h5py.Dataset) -> bytes:
    """Undo the filters of a chunk, the last one first; a bit of the mask says that one was left out."""
    properties = dataset.id.get_create_plist()
    for position in reversed(range(properties.get_nfilters())):
        code = properties.get_filter(position)[0]
        if mask >> position & 1:
            continue
        if code == h5py.h5z.FILTER_DEFLATE:
            stored = zlib.decompressobj().decompress(stored, most_unpacked(len(stored)))
        elif code == h5py.h5z.FILTER_SHUFFLE:
            stored = np.frombuffer(stored, np.uint8).reshape(_ENTRY.itemsize, -1).T.tobytes()
        else:
            raise InputError(
                f"{dataset.name} is packed by HDF5 filter {code}", remedy="unpack it (h5repack -f NONE)"
            )
    return stored


def _objects(stream: BinaryIO, start: int, file_size: int) -> dict[int, tuple[int, int]]:
    """Return start and size of the data of each object of the global heap at ``start``, by its number."""
    signature, size = _header(stream, start)
    end = start + size
    if signature != _HEAP_SIGNATURE or end > file_size:
        raise InputError(f"has a damaged heap at byte {start}", remedy=DAMAGED)
    objects = {}
    place = start + _HEADER
    while place + _HEADER <= end:
        number, size = _header(stream, place)
        if number.startswith(b"\0\0"):  # free space up to the end
            break
        objects[int.from_bytes(number[:2], "little")] = (place + _HEADER, size)
        place += _HEADER + -(-size // 8) * 8
        if place > end:
            raise InputError(f"has a damaged heap at byte {start}", remedy=DAMAGED)
    return objects


def _header(stream: BinaryIO, place: int) -> tuple[bytes, int]:
    """Return the first 8 bytes of a heap's or an object's header, and the size that it tells."""
    stream.seek(place)
    header = stream.read(_HEADER)
    return header[:8], int.from_bytes(header[8:], "little")
