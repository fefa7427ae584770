"""Recordings of event cameras in iniVation's AEDAT 3.1 and 2.0.

Version 3.1, little-endian: packets of a header of 28 bytes and as many events of one type as it says; those
of pixels (type 1) are read, others are passed over, events marked as invalid are left out. Version 2.0,
big-endian: pairs of address and time, read for the DVS128, with jAER's meaning of its addresses (ON is
polarity bit 0, x counts from the right, y from the bottom); external events are left out. Both want
ascending times, and neither has a checksum: damage that leaves addresses, times and counts possible goes
unnoticed.

Labels lie beside a recording ``NAME.aedat`` in ``NAME_labels.csv``, as in DVS128 Gesture: columns class,
startTime_usec, endTime_usec, and one sample a row. Without it the recording is one sample.

Written are the samples one after another, a second apart, with their file of labels: every event, and the
numbers of the classes. All samples are read back a microsecond longer if an event lies at the end of one,
which an interval does not hold.

Source: iniVation, "AEDAT file formats"; jAER, class DVS128.
"""

from __future__ import annotations

import csv
import itertools
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.storage.atomic import atomic_path
from beyondrate.storage.camera import INTERVAL_COLUMNS, Recording, Sensor, read_intervals, sensor_of
from beyondrate.storage.guards import DAMAGED, reading
from beyondrate.storage.trials import Trials, one_after_another

MAGIC = b"#!AER-DAT"
DVS128 = Sensor(128, 128)
_SENSORS = {"DVS128": DVS128, "DAVIS240": Sensor(180, 240), "DAVIS346": Sensor(260, 346)}
_CAMERAS = {DVS128: "DVS128", Sensor(180, 240): "DAVIS240C", Sensor(260, 346): "DAVIS346B"}  # as written
_NO_CLOCK = "1970-01-01 00:00:00 (TZ+0000)"  # a start time must be given
_EVENTS_A_PACKET = 4096
_END = "#!END-HEADER"
_LONGEST_LINE = 1 << 16
_SOURCE = re.compile(r"#-?Source \d+: *(\S*)")
_RELAYS = ("File", "Network")  # sources that pass on what a camera named in a line before has seen
_EVENT_TYPES = 13
_POLARITY = 1
_PAIR = {
    "3.1": np.dtype([("data", "<u4"), ("time", "<i4")]),
    "2.0": np.dtype([("data", ">u4"), ("time", ">i4")]),
}
_EXTERNAL = 0x8000_8000  # bits of events that no pixel of a DVS128 has made
_ADDRESS = 0x7FFF


class _Packet(NamedTuple):
    """The header of a packet of version 3.1."""

    type: int
    source: int
    size: int
    time_offset: int
    time_overflow: int
    capacity: int
    number: int
    valid: int


_PACKET = struct.Struct("<hhiiiiii")


def read(path: Path, samples: slice | None = None) -> SpikeTrains:
    """Read a recording: one sample a labelled interval if a file of labels lies beside it, else one sample.

    Raises:
        InputError: if it is of another version, format or camera, ends early, or holds what cannot be.
    """
    labels = labels_path(path)
    intervals = read_intervals(labels) if labels.exists() else None
    with reading(path, "an AEDAT recording"):
        recording = parse(path.read_bytes())
        trains = recording.labelled(path.name, intervals) if intervals else recording.whole(path.name)
    return trains if samples is None else trains[samples]


def labels_path(recording: Path) -> Path:
    """Return where the labels of a recording lie.

    >>> labels_path(Path("user01_led.aedat")).name
    'user01_led_labels.csv'
    """
    return recording.with_name(f"{recording.stem}_labels.csv")


def save(trains: SpikeTrains, path: Path, version: str) -> None:
    """Write spike trains as a recording, and its labels beside it; the labels are in place first.

    Args:
        trains: of a DVS128, in version 3.1 of a DAVIS240 or DAVIS346 too.
        path: the recording; its labels are NAME_labels.csv beside it.
        version: 3.1, or 2.0, whose clock ends after 2^31 µs (35 minutes).

    Raises:
        InputError: if units are not those of such a camera, there are groups, no sample, or too many.
    """
    sensor = sensor_of(trains, list(_CAMERAS) if version == "3.1" else [DVS128], f"AEDAT {version}")
    events, trials = one_after_another(trains)
    recording = Recording(events.times_us, events.units.astype(np.int32), sensor)
    parts = _packed_3(recording) if version == "3.1" else _packed_2(recording)
    with atomic_path(path) as file, atomic_path(labels_path(path)) as table:
        with file.open("wb") as stream:
            stream.writelines(parts)
        _write_labels(trials, table)


def _packed_3(recording: Recording) -> Iterator[bytes]:
    """Yield the header and the packets of version 3.1; a packet ends where the clock of 31 bits overflows."""
    camera = _CAMERAS[recording.sensor]
    header = (
        f"{MAGIC.decode()}3.1",
        "#Format: RAW",
        f"#Source 1: {camera}",
        f"#Start-Time: {_NO_CLOCK}",
        _END,
    )
    yield "".join(f"{line}\r\n" for line in header).encode()
    x, y, polarity = recording.sensor.places(recording.units)
    events = np.empty(len(x), _PAIR["3.1"])
    events["data"] = x << 17 | y << 2 | polarity << 1 | 1  # bit 0: valid
    events["time"] = recording.times_us & 0x7FFF_FFFF
    overflow = recording.times_us >> 31
    overflows = np.flatnonzero(np.diff(overflow)) + 1
    bounds = np.unique([*range(0, len(x), _EVENTS_A_PACKET), *overflows.tolist(), len(x)])
    for first, stop in itertools.pairwise(bounds.tolist()):
        n = stop - first
        packet = _Packet(_POLARITY, 1, 8, 4, int(overflow[first]), capacity=n, number=n, valid=n)
        yield _PACKET.pack(*packet) + events[first:stop].tobytes()


def _packed_2(recording: Recording) -> Iterator[bytes]:
    """Yield the header and the events of version 2.0.

    Raises:
        InputError: if the recording lasts longer than a clock of 31 bits tells.
    """
    latest = int(np.iinfo(np.int32).max)
    last = int(recording.times_us.max(initial=0))
    if last > latest:
        raise InputError(
            f"AEDAT 2.0 holds times up to {latest} µs, samples one after another need {last} µs",
            remedy="write AEDAT 3.1 (format aedat), or fewer samples",
        )
    x, y, polarity = recording.sensor.places(recording.units)
    events = np.empty(len(x), _PAIR["2.0"])
    events["data"] = 127 - y << 8 | 127 - x << 1 | 1 - polarity
    events["time"] = recording.times_us
    yield f"{MAGIC.decode()}2.0\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n".encode()
    yield events.tobytes()


def _write_labels(trials: Trials, path: Path) -> None:
    rows = zip(trials.labels.tolist(), trials.starts_us.tolist(), trials.stops_us.tolist(), strict=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(INTERVAL_COLUMNS)
        table.writerows(rows)


def parse(data: bytes) -> Recording:
    """Return the events of pixels in the bytes of a recording.

    Raises:
        InputError: as `read` does.
    """
    lines, start = _header(data)
    version = lines[0].removeprefix(MAGIC.decode())
    if version == "3.1":
        return _parse_3(data, lines, start)
    if version == "2.0":
        return _parse_2(data, lines, start)
    raise InputError(f"is AEDAT {version[:20]!r}", remedy="give a recording in AEDAT 3.1 or 2.0")


def _header(data: bytes) -> tuple[list[str], int]:
    """Return the lines of text that a recording begins with, and where they end."""
    lines: list[str] = []
    start = 0
    if not data.startswith(MAGIC):
        raise InputError("does not begin as AEDAT", remedy=DAMAGED)
    while data.startswith(b"#", start):
        end = data.find(b"\n", start, start + _LONGEST_LINE)
        if end < 0:
            raise InputError("has a header that does not end", remedy=DAMAGED)
        lines.append(data[start:end].rstrip(b"\r").decode("latin-1"))
        start = end + 1
        if lines[-1] == _END:
            break
    return lines, start


def _parse_3(data: bytes, lines: list[str], start: int) -> Recording:
    if lines[-1] != _END:
        raise InputError(f"has a header without {_END}", remedy=DAMAGED)
    formats = [line for line in lines if line.startswith("#Format:")]
    if formats not in ([], ["#Format: RAW"]):
        raise InputError(f"has {', '.join(formats)[:80]!r}", remedy="give a recording in the format RAW")
    sensor = _sensor(lines)
    packets, events = [], []
    for packet, place in _packets(data, start):
        if packet.type == _POLARITY:
            packets.append(packet)
            events.append(_polarity_events(data, packet, place))
    sources = sorted({packet.source for packet in packets})
    if len(sources) > 1:
        raise InputError(f"holds events of the cameras {sources}", remedy="give the recording of one camera")
    joined = np.concatenate([np.empty(0, _PAIR["3.1"]), *events])
    overflow = np.repeat([packet.time_overflow for packet in packets], [len(some) for some in events])
    address = joined["data"]
    units = sensor.units(address >> 17, address >> 2 & 0x7FFF, address >> 1 & 1)
    return Recording((overflow.astype(np.int64) << 31) | joined["time"], units, sensor)


def _sensor(lines: list[str]) -> Sensor:
    """Return the size of the camera that the header names; DVS128 if it names none."""
    named = {match[1] for line in lines if (match := _SOURCE.match(line)) and match[1] not in _RELAYS}
    known = {sensor for name in named for prefix, sensor in _SENSORS.items() if name.startswith(prefix)}
    if named and len(known) != 1:
        raise InputError(
            f"is a recording of {', '.join(sorted(named))[:80]!r}",
            remedy=f"give one of a camera {', '.join(_SENSORS)}",
        )
    return known.pop() if known else DVS128


def _packets(data: bytes, start: int) -> Iterator[tuple[_Packet, int]]:
    """Yield the header of each packet, and where its events begin."""
    while start < len(data):
        if start + _PACKET.size > len(data):
            raise InputError(f"ends within the header of the packet at byte {start}", remedy=DAMAGED)
        packet = _Packet(*_PACKET.unpack_from(data, start))
        is_sound = (
            0 <= packet.type < _EVENT_TYPES
            and packet.size >= 8
            and 0 <= packet.time_offset <= packet.size - 4
            and packet.time_overflow >= 0
            and packet.capacity == packet.number  # in files always
            and 0 <= packet.valid <= packet.number
        )
        if not is_sound:
            raise InputError(f"has an impossible packet at byte {start}: {packet}", remedy=DAMAGED)
        place = start + _PACKET.size
        start = place + packet.number * packet.size
        if start > len(data):
            raise InputError(
                f"ends within the {packet.number} events of the packet at byte {place - _PACKET.size}",
                remedy=DAMAGED,
            )
        yield packet, place


def _polarity_events(data: bytes, packet: _Packet, place: int) -> np.ndarray:
    """Return the valid events of a packet of pixels' events."""
    if (packet.size, packet.time_offset) != (8, 4):
        raise InputError(f"has pixels' events of an unknown layout: {packet}", remedy=DAMAGED)
    events = np.frombuffer(data, _PAIR["3.1"], packet.number, place)
    is_valid = (events["data"] & 1).astype(bool)
    if np.count_nonzero(is_valid) != packet.valid or (events["time"] < 0).any():
        raise InputError(
            f"has a packet at byte {place - _PACKET.size} that claims {packet.valid} valid events; it has "
            f"{np.count_nonzero(is_valid)}, the earliest at {events['time'].min()} µs",
            remedy=DAMAGED,
        )
    return events[is_valid]


def _parse_2(data: bytes, lines: list[str], start: int) -> Recording:
    chips = [line.split(":", 1)[1].strip() for line in lines if line.startswith("# AEChip:")]
    if any(not chip.endswith("128") for chip in chips):
        raise InputError(f"is a recording of {chips[0][:80]!r}", remedy="in AEDAT 2.0, give one of a DVS128")
    if (len(data) - start) % 8:
        raise InputError("ends within an event", remedy=DAMAGED)
    events = np.frombuffer(data, _PAIR["2.0"], offset=start)
    events = events[events["data"] & _EXTERNAL == 0]
    address = events["data"].astype(np.int64)
    if (address > _ADDRESS).any():
        raise InputError(
            f"has the address {int(address.max()):#x}, which a DVS128 does not have", remedy=DAMAGED
        )
    x, y = 127 - (address >> 1 & 127), 127 - (address >> 8)
    return Recording(events["time"].astype(np.int64), DVS128.units(x, y, 1 - (address & 1)), DVS128)
