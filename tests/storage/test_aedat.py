"""Recordings of event cameras, written here as the cameras' software writes them."""

from __future__ import annotations

import itertools
import json
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_damage import damaged

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains
from beyondrate.storage import aedat, load, save

HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016-09-01 10:00:00 (TZ+0200)\r\n"
)
END = b"#!END-HEADER\r\n"
HEADER_2 = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
)
Event = tuple[int, int, int, int]  # time, x, y, polarity
EVENTS: list[Event] = [(80, 0, 0, 1), (90, 127, 0, 0), (90, 5, 7, 1), (2100, 127, 127, 1), (2950, 3, 126, 0)]


def packet(events: Sequence[Event], *, invalid: Sequence[int] = (), **changed: int) -> bytes:
    """A packet of pixels' events; those at the places ``invalid`` are marked so."""
    body = b"".join(
        struct.pack("<Ii", x << 17 | y << 2 | p << 1 | (place not in invalid), t)
        for place, (t, x, y, p) in enumerate(events)
    )
    head = {
        "type": 1,
        "source": 1,
        "size": 8,
        "time_offset": 4,
        "overflow": 0,
        "capacity": len(events),
        "number": len(events),
        "valid": len(events) - len(invalid),
        **changed,
    }
    return struct.pack("<hhiiiiii", *head.values()) + body


def other_packet(event_type: int, size: int, n: int, time_us: int) -> bytes:
    """A packet of events of another type: special, frames, configuration ..."""
    body = b"".join(struct.pack("<Ii", 1, time_us) + bytes(size - 8) for _ in range(n))
    return struct.pack("<hhiiiiii", event_type, 1, size, 4, 0, n, n, n) + body


def pair(event: Event) -> bytes:
    """An event of a DVS128 in version 2.0."""
    t, x, y, p = event
    return struct.pack(">Ii", 127 - y << 8 | 127 - x << 1 | 1 - p, t)


def unit(event: Event) -> int:
    _, x, y, p = event
    return (p * 128 + y) * 128 + x


def written(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def example(path: Path) -> Path:
    """Events of pixels in three packets, between packets of four other types."""
    return written(
        path,
        HEADER + END,
        other_packet(7, 16, 2, 0),
        other_packet(0, 8, 1, 75),
        packet(EVENTS[:2]),
        other_packet(2, 36 + 2 * 12, 1, 95),
        packet(EVENTS[2:3]),
        other_packet(3, 36, 3, 99),
        packet(EVENTS[3:]),
    )


def refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("version", ["3.1", "2.0"])
def test_a_recording_is_one_sample_from_its_first_event(tmp_path: Path, version: str) -> None:
    path = tmp_path / "wave.aedat"
    if version == "3.1":
        example(path)
    else:
        written(path, HEADER_2, *(pair(event) for event in EVENTS))
    trains = load(path)
    assert trains.times_us.tolist() == [event[0] - 80 for event in EVENTS]
    assert trains.units.tolist() == [unit(event) for event in EVENTS]
    assert (len(trains), trains.labels.tolist(), trains.duration_us) == (1, [0], 3000)
    assert trains.n_units == 2 * 128 * 128
    assert trains.meta["shape"] == [2, 128, 128]
    assert trains.meta["files"] == ["wave.aedat@80-3080"]
    assert trains.meta["derived"] == ["duration_us"]
    pictures = trains.dense(0.001).reshape(3, *trains.meta["shape"])
    assert pictures[0, 0, 0, 127] == pictures[0, 1, 7, 5] == pictures[2, 1, 127, 127] == 1
    assert len(load(path, samples=slice(1, None))) == 0


def test_labelled_intervals_are_samples(tmp_path: Path) -> None:
    path = example(tmp_path / "user01_led.aedat")
    labels = tmp_path / "user01_led_labels.csv"
    labels.write_text(
        "class,startTime_usec,endTime_usec\r\n3,80,2100\r\n1,90,2951\r\n2,100,2000\r\n3,2951,9000"
    )
    trains = load(path)
    assert trains.labels.tolist() == [3, 1, 2, 3]
    assert trains.duration_us == 9000 - 2951
    expected = [[e for e in EVENTS if 80 <= e[0] < 2100], [e for e in EVENTS if 90 <= e[0] < 2951], [], []]
    for sample, (start, events) in enumerate(zip((80, 90, 100, 2951), expected, strict=True)):
        assert trains[sample].times_us.tolist() == [event[0] - start for event in events]
        assert trains[sample].units.tolist() == [unit(event) for event in events]
    assert [len(some) for some in expected] == [3, 4, 0, 0]  # those of 90 µs are in two
    assert trains.meta["files"][1] == "user01_led.aedat@90-2951"
    assert load(path, samples=slice(1, 2)).times_us.tolist() == [0, 0, 2010, 2860]


@given(
    st.lists(
        st.tuples(st.integers(0, 50), *[st.integers(0, 127)] * 2, st.integers(0, 1)), min_size=1, max_size=60
    ),
    st.lists(st.integers(0, 60), max_size=4),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_no_event_is_lost_however_they_are_packed(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event], cuts: list[int]
) -> None:
    events = sorted(events, key=lambda event: event[0])
    folder = tmp_path_factory.mktemp("packed")
    bounds = [0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]
    packets = [packet(events[a:b]) for a, b in itertools.pairwise(bounds)]
    expected = [(event[0] - events[0][0], unit(event)) for event in events]
    for path in (
        written(folder / "3.aedat", HEADER + END, *packets),
        written(folder / "2.aedat", HEADER_2, *(pair(event) for event in events)),
    ):
        trains = load(path)
        assert list(zip(trains.times_us.tolist(), trains.units.tolist(), strict=True)) == expected


def test_invalid_and_external_events_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.aedat", HEADER + END, packet(EVENTS, invalid=[1, 3]))
    assert load(path).units.tolist() == [unit(EVENTS[place]) for place in (0, 2, 4)]
    external = struct.pack(">Ii", 0x8000, 85), struct.pack(">Ii", 0x8000_0000, 86)
    path = written(tmp_path / "b.aedat", HEADER_2, pair(EVENTS[0]), *external, pair(EVENTS[1]))
    assert load(path).units.tolist() == [unit(EVENTS[0]), unit(EVENTS[1])]


def test_clocks_beyond_31_bits(tmp_path: Path) -> None:
    early = [(2**31 - 20, 1, 2, 0)]
    late = [(30, 3, 4, 1)]
    path = written(tmp_path / "a.aedat", HEADER + END, packet(early), packet(late, overflow=1))
    assert load(path).times_us.tolist() == [0, 50]
    refused(
        written(path, HEADER + END, packet(early), packet(late, overflow=7)), "lasts .* s; give a file of"
    )


def test_sensors_of_other_sizes(tmp_path: Path) -> None:
    header = HEADER.replace(b"#Source 1: DVS128", b"#-Source 0: DAVIS240C\r\n#Source 1: File")
    path = written(tmp_path / "a.aedat", header + END, packet([(5, 239, 179, 1)]))
    trains = load(path)
    assert trains.meta["shape"] == [2, 180, 240]
    assert trains.units.tolist() == [2 * 180 * 240 - 1]
    refused(
        written(path, HEADER.replace(b"DVS128", b"DYNAPSE") + END), "is a recording of 'DYNAPSE'; give one"
    )
    refused(written(path, HEADER_2.replace(b"DVS128", b"Davis346B")), "'ch.unizh.*Davis346B'; in AEDAT 2.0")
    path = written(path, HEADER.replace(b"#Source 1: DVS128\r\n", b"") + END, packet(EVENTS))
    assert load(path).meta["shape"] == [2, 128, 128]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([HEADER], "has a header without #!END-HEADER"),
        ([HEADER[:-10]], "has a header that does not end"),
        ([HEADER.replace(b"3.1", b"4.0") + END], "is AEDAT '4.0'; give a recording in AEDAT 3.1 or 2.0"),
        (
            [HEADER.replace(b"RAW", b"SerializedTS") + END],
            "has '#Format: SerializedTS'; give .* the format RAW",
        ),
        ([HEADER + END], "has no event of a pixel"),
        ([HEADER + END, other_packet(0, 8, 2, 5)], "has no event of a pixel"),
        ([HEADER + END, packet(EVENTS)[:-1]], "ends within the 5 events of the packet at byte"),
        ([HEADER + END, packet(EVENTS), b"\0" * 27], "ends within the header of the packet at byte"),
        (
            [HEADER + END, packet(EVENTS, number=2**31 - 1, capacity=2**31 - 1)],
            "ends within the 2147483647 events",
        ),
        ([HEADER + END, packet(EVENTS, capacity=6)], "has an impossible packet .*capacity=6"),
        ([HEADER + END, packet(EVENTS, number=-1, capacity=-1)], "has an impossible packet .*number=-1"),
        ([HEADER + END, packet(EVENTS, type=13)], "has an impossible packet .*type=13"),
        ([HEADER + END, packet(EVENTS, size=0)], "has an impossible packet .*size=0"),
        ([HEADER + END, packet(EVENTS, overflow=-1)], "has an impossible packet .*overflow=-1"),
        ([HEADER + END, packet(EVENTS[:4], size=16, number=2, capacity=2, valid=2)], "of an unknown layout"),
        ([HEADER + END, packet(EVENTS, valid=4)], "claims 4 valid events; it has 5"),
        ([HEADER + END, packet([(-5, 1, 1, 1)])], "the earliest at -5 µs"),
        ([HEADER + END, packet(EVENTS[:2]), packet(EVENTS[2:], source=2)], r"events of the cameras \[1, 2\]"),
        (
            [HEADER + END, packet([(5, 128, 3, 1)])],
            "event 0 is at column 128, row 3 with polarity 1, outside",
        ),
        (
            [HEADER + END, packet([(5, 3, 128, 1)])],
            "event 0 is at column 3, row 128 with polarity 1, outside",
        ),
        (
            [HEADER + END, packet(EVENTS[3:]), packet(EVENTS[:3])],
            "time goes backwards from 2950 to 80 µs at event 2",
        ),
        ([HEADER_2], "has no event of a pixel"),
        ([HEADER_2, pair(EVENTS[0])[:-1]], "ends within an event"),
        ([HEADER_2, struct.pack(">Ii", 0x1_0000, 5)], "has the address 0x10000"),
        ([HEADER_2, pair(EVENTS[1]), pair(EVENTS[0])], "time goes backwards from 90 to 80 µs at event 1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, parts: list[bytes], message: str) -> None:
    refused(written(tmp_path / "a.aedat", *parts), message)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "has no column 'class'"),
        ("class,startTime_usec,endTime_usec\n", "has no interval"),
        ("class,startTime_usec\n1,2\n", "has no column 'endTime_usec'"),
        ("class,startTime_usec,endTime_usec\n1,90,90\n", "has an interval from 90 to 90 µs"),
        ("class,startTime_usec,endTime_usec\n1,90\n", "row 1 has 2 fields"),
        ("class,startTime_usec,endTime_usec\n1,90.5,100\n", "startTime_usec holds 90.5"),
        ("class,startTime_usec,endTime_usec\nwave,90,100\n", "has 'wave' in column class"),
        ("class,startTime_usec,endTime_usec\n1,0,3000000000\n", "has an interval from 0 to 3000000000 µs"),
    ],
)
def test_labels_that_cannot_be_name_their_file(tmp_path: Path, table: str, message: str) -> None:
    path = example(tmp_path / "a.aedat")
    (tmp_path / "a_labels.csv").write_text(table)
    with pytest.raises(InputError, match=f"a_labels.csv: {message}"):
        load(path)


@pytest.mark.parametrize("version", ["3.1", "2.0"])
def test_random_damage(tmp_path: Path, version: str) -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.integers(1000, 3000, 60)).tolist()
    events = [(t, *rng.integers(0, 128, 2).tolist(), int(rng.integers(2))) for t in times]
    path = tmp_path / "a.aedat"
    if version == "3.1":
        written(
            path,
            HEADER + END,
            other_packet(0, 8, 2, 5),
            *(packet(events[k : k + 10]) for k in range(0, 60, 10)),
        )
    else:
        written(path, HEADER_2, *(pair(event) for event in events))
    (tmp_path / "a_labels.csv").write_text("class,startTime_usec,endTime_usec\n1,1000,2000\n2,2000,3001\n")
    trains = load(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes: Counter[str] = Counter()
    for attempt in range(500):
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 2])).tobytes())
        try:
            found = load(path)
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            assert json.dumps(dict(found.meta)) == json.dumps(dict(trains.meta))
            outcomes["same" if found.digest == trains.digest else "changed"] += 1
    assert outcomes["refused"] > 250, outcomes


def made(samples: list[list[Event]], labels: list[int], duration_us: int) -> SpikeTrains:
    """What a DVS128 has seen."""
    pairs = [([event[0] for event in events], [unit(event) for event in events]) for events in samples]
    meta = {"shape": [2, 128, 128]}
    return SpikeTrains.from_samples(
        pairs, labels=labels, n_units=2 * 128 * 128, duration_us=duration_us, meta=meta
    )


TWO = [[(0, 127, 0, 1), (40, 0, 127, 0)], [], [(9, 5, 7, 1)]]  # samples of 50 µs


def test_what_is_written_byte_for_byte(tmp_path: Path) -> None:
    save(made(TWO, [4, 0, 2], 50), tmp_path / "a.aedat")
    body = packet([*TWO[0], (2_000_109, 5, 7, 1)])
    header = HEADER.replace(b"2016-09-01 10:00:00 (TZ+0200)", b"1970-01-01 00:00:00 (TZ+0000)")
    assert (tmp_path / "a.aedat").read_bytes() == header + END + body
    table = "class,startTime_usec,endTime_usec\n4,0,50\n0,1000050,1000100\n2,2000100,2000150\n"
    assert (tmp_path / "a_labels.csv").read_text() == table
    save(made(TWO, [4, 0, 2], 50), tmp_path / "b.aedat", format="aedat2")
    header = HEADER_2.replace(b"# This is a raw AE data file - do not edit\r\n", b"")
    pairs = [pair(event) for event in (*TWO[0], (2_000_109, 5, 7, 1))]
    assert (tmp_path / "b.aedat").read_bytes() == header + b"".join(pairs)
    assert (tmp_path / "b_labels.csv").read_text() == table
    assert len(list(tmp_path.iterdir())) == 4


@given(
    st.integers(1, 3000),
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.floats(0, 1), *[st.integers(0, 127)] * 2, st.integers(0, 1)), max_size=20),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=6,
    ),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, duration_us: int, samples: list
) -> None:
    events = [[(round(t * duration_us), x, y, p) for t, x, y, p in some] for some, _ in samples]
    trains = made(events, [label for _, label in samples], duration_us)
    at_the_end = bool((trains.times_us == duration_us).any())
    folder = tmp_path_factory.mktemp("written")
    for format in ("aedat", "aedat2"):
        save(trains, folder / "a.aedat", format=format)
        found = load(folder / "a.aedat")
        assert found.duration_us == duration_us + at_the_end
        assert replace(found, duration_us=duration_us).digest == trains.digest
        assert found.meta["shape"] == [2, 128, 128]


def test_an_interrupted_writing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(made(TWO, [4, 0, 2], 50), tmp_path / "a.aedat")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(aedat, "_write_labels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(made(TWO[:1], [1], 50), tmp_path / "a.aedat")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_every_camera_and_many_packets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for rows, columns in ((128, 128), (180, 240), (260, 346)):
        n_units = 2 * rows * columns
        times = np.sort(rng.integers(0, 100_000, 10_000))
        times[-2:] = 99_999
        trains = SpikeTrains.from_samples(
            [(times, rng.integers(0, n_units, 10_000))], labels=[3], n_units=n_units, duration_us=100_000
        )
        save(trains, tmp_path / "a.aedat")
        assert load(tmp_path / "a.aedat").digest == trains.digest
        assert load(tmp_path / "a.aedat").meta["shape"] == [2, rows, columns]


def test_a_clock_that_overflows_is_written(tmp_path: Path) -> None:
    long = 2**31 - 1_000_010  # the second sample begins 10 µs before the overflow
    late = [(3, 1, 2, 0), (12, 3, 4, 1), (long - 1, 5, 6, 0)]
    trains = made([[(7, 9, 9, 0)], late, late], [0, 1, 2], long)
    save(trains, tmp_path / "a.aedat")
    assert load(tmp_path / "a.aedat").digest == trains.digest
    body = (tmp_path / "a.aedat").read_bytes().partition(END)[2]
    overflows, place = [], 0
    while place < len(body):
        _, _, _, _, overflow, _, number, _ = struct.unpack_from("<hhiiiiii", body, place)
        overflows.append((overflow, number))
        place += 28 + 8 * number
    assert overflows == [(0, 2), (1, 4), (2, 1)]
    with pytest.raises(InputError, match=r"AEDAT 2.0 holds times up to 2147483647 µs, samples one after"):
        save(trains, tmp_path / "b.aedat", format="aedat2")
    assert not (tmp_path / "b.aedat").exists() and not (tmp_path / "b_labels.csv").exists()


def test_tonic_reads_what_is_written(tmp_path: Path) -> None:
    tonic_io = pytest.importorskip("tonic.io")
    events = [event for event in EVENTS if event[0] < 3000]
    save(made([events], [0], 3000), tmp_path / "a.aedat")
    for name, format, decode in (
        ("a.aedat", "aedat", lambda a: (a >> 17, a >> 2 & 0x7FFF, a >> 1 & 1)),
        ("b.aedat", "aedat2", lambda a: (127 - (a >> 1 & 127), 127 - (a >> 8), 1 - (a & 1))),
    ):
        save(made([events], [0], 3000), tmp_path / name, format=format)
        version, start, *_ = tonic_io.read_aedat_header_from_file(str(tmp_path / name))
        found = tonic_io.get_aer_events_from_file(str(tmp_path / name), version, start)
        x, y, polarity = decode(found["address"].astype(int))
        assert list(zip(found["timeStamp"], x, y, polarity, strict=True)) == events


@pytest.mark.parametrize(
    ("trains", "message"),
    [
        (replace(made(TWO, [0, 1, 2], 50), groups=np.zeros(3, int)), "AEDAT 3.1 cannot hold groups"),
        (made(TWO, [0, 1, 2], 50)[:0], "AEDAT 3.1 cannot hold data without samples"),
        (
            SpikeTrains.from_samples([([1], [0])], labels=[0], n_units=2312, duration_us=9),
            "holds events of 128 × 128 or 240 × 180 or 346 × 260 pixels and two polarities, not of 2312",
        ),
        (
            made([[(MAX_DURATION_US, 1, 1, 1)]], [0], MAX_DURATION_US),
            "a spike lies at the very end of samples of 2147483647 µs",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, trains: SpikeTrains, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save(trains, tmp_path / "a.aedat")
    with pytest.raises(InputError):
        save(trains, tmp_path / "a.aedat", format="aedat2")
    assert not list(tmp_path.iterdir())
