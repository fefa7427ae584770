"""Tables of spikes: what people export from spreadsheets and spike sorters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_damage import damaged, example
from test_roundtrip import spike_trains
from typer.testing import CliRunner

from beyondrate.cli import app
from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.signals import SignalTable, read_table
from beyondrate.storage import load, save

TABLE = """time_us,unit,sample,label,group
100,0,0,go,anna
900,1,1,stop,bob
2500,1,0,go,anna
70,3,2,go,bob
"""


def table(folder: Path, text: str, name: str = "spikes.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_a_table_of_everything(tmp_path: Path) -> None:
    trains = load(table(tmp_path, TABLE))
    assert trains.times_us.tolist() == [100, 2500, 900, 70]
    assert trains.units.tolist() == [0, 1, 1, 3]
    assert trains.offsets.tolist() == [0, 2, 3, 4]
    assert (trains.labels.tolist(), trains.meta["label_names"]) == ([0, 1, 0], ["go", "stop"])
    assert (trains.groups.tolist(), trains.meta["group_names"]) == ([0, 1, 1], ["anna", "bob"])
    assert (trains.n_units, trains.duration_us) == (4, 3000)
    assert trains.meta["derived"] == ["n_units", "duration_us"]
    assert load(table(tmp_path, TABLE), samples=slice(1, 2)).times_us.tolist() == [900]


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("\n", "\r\n"),
        "\ufeff" + TABLE,
        TABLE.replace(",", " , ").replace("2500", "\n2500") + "\n",
        TABLE.replace("go", '"go"').replace("100,", "1e2,").replace("900,", "900.0,"),
        "\n".join([TABLE.splitlines()[0], *reversed(TABLE.splitlines()[1:]), ""]),
        TABLE.replace("time_us", "time_s").replace("100,", "0.0001,").replace("900,", "9e-4,")
        .replace("2500,", "0.0025,").replace("70,", ".00007,"),
    ],
    ids=["windows", "mark", "spaces", "quotes", "order", "seconds"],
)  # fmt: skip
def test_ways_to_write_the_same(tmp_path: Path, text: str) -> None:
    trains, expected = load(table(tmp_path, text)), load(table(tmp_path, TABLE, "other.csv"))
    assert trains.digest == expected.digest
    assert dict(trains.meta) == dict(expected.meta)


def test_samples_come_in_the_order_of_their_numbers_or_names(tmp_path: Path) -> None:
    trains = load(table(tmp_path, "unit,sample,time_us,label\n0,10,1,5\n1,9,1,6\n2,10,1,5\n"))
    assert (trains.labels.tolist(), trains.units.tolist()) == ([6, 5], [1, 0, 2])
    assert "label_names" not in trains.meta and trains.groups is None
    trains = load(table(tmp_path, "unit,sample,time_us\n0,run b,1\n1,run a,1\n", "UPPER.CSV"))
    assert (trains.labels.tolist(), trains.units.tolist()) == ([0, 0], [1, 0])


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 70_000), st.integers(0, 4)), min_size=1, max_size=80
    )
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_every_row_is_a_spike(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]]
) -> None:
    lines = ["time_us,unit,sample", *(f"{t},{unit},{sample}" for t, unit, sample in rows), ""]
    trains = load(table(tmp_path_factory.mktemp("rows"), "\n".join(lines)))
    names = sorted({row[2] for row in rows})
    found = zip(trains.times_us.tolist(), trains.units.tolist(), trains.sample_index.tolist(), strict=True)
    assert sorted((t, unit, names[sample]) for t, unit, sample in found) == sorted(rows)


def test_tables_longer_than_a_block(tmp_path: Path) -> None:
    n = 70_000
    lines = ["sample,label,unit,time_us", *(f"{k % 3},{k % 3 + 1},{k % 11},{n - k}" for k in range(n)), ""]
    trains = load(table(tmp_path, "\n".join(lines)))
    assert trains.spikes_per_sample.tolist() == [23334, 23333, 23333]
    assert trains.labels.tolist() == [1, 2, 3]
    assert trains.times_us[0] == 1 and trains.duration_us == 70_000


@given(spike_trains())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, trains: SpikeTrains
) -> None:
    path = tmp_path_factory.mktemp("written") / "x.csv"
    if not len(trains):
        with pytest.raises(InputError, match="cannot hold data without samples; write"):
            save(trains, path)
        return
    save(trains, path)
    found = load(path)
    assert found.digest == trains.digest
    assert found.meta["split"] == trains.meta["split"]
    assert list(found.meta.get("derived", ())) == [
        name for name in ("n_units", "duration_us") if name not in path.read_text().splitlines()[0]
    ]


def test_numbers_of_any_size_stay_numbers(tmp_path: Path) -> None:
    trains = SpikeTrains([5], [2], [0, 1, 1], [0, 2**63 - 1], 3, 1000, groups=[-(2**63), 2**63 - 1])
    save(trains, tmp_path / "x.csv")
    assert load(tmp_path / "x.csv").digest == trains.digest


def test_samples_without_spikes_survive(tmp_path: Path) -> None:
    trains = SpikeTrains([5], [2], [0, 0, 1, 1], [1, 0, 1], 9, 70, meta={"label_names": ["a", "b"]})
    save(trains, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text() == (
        "time_us,unit,sample,label,n_units,duration_us\n,,0,b,9,70\n5,2,1,a,9,70\n,,2,b,9,70\n"
    )
    assert load(tmp_path / "x.csv").digest == trains.digest


@pytest.mark.parametrize(
    ("names", "are_kept"),
    [
        (["a", "b", "c", "ç, d\n"], False),
        (["a", "b", "c", 'ç, "d"'], True),
        (["a", "b", "d", "c"], False),
        (["10", "11", "12", "13"], False),
        (["a", "b", "c", "c"], False),
        (["", "b", "c", "d"], False),
        (["a", "b", "c", "d", "never used"], False),
    ],
)
def test_names_are_kept_where_reading_them_gives_the_same(
    tmp_path: Path, names: list[str], are_kept: bool
) -> None:
    trains = example().with_meta(label_names=names)
    save(trains, tmp_path / "x.csv")
    found = load(tmp_path / "x.csv")
    assert found.digest == trains.digest
    assert found.meta.get("label_names") == (names if are_kept else None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("time_us,unit,sample\n", "has no spike"),
        (
            "time,unit,sample\n1,2,3\n",
            "has a column 'time'; rename it; known are unit, sample, time_us, time_s",
        ),
        ("unit,sample\n1,2\n", "has neither time_us nor time_s"),
        ("time_us,time_s,unit,sample\n1,1,1,1\n", "has both time_us and time_s"),
        ("time_us,unit,unit,sample\n1,1,1,1\n", "has the column 'unit' twice"),
        ("time_us,unit,sample\n1,2\n", "row 1 has 2 fields, the first line names 3"),
        ("time_us,unit,sample\n1,2,3\n1,2,3,4\n", "row 2 has 4 fields"),
        ("time_us,unit,sample\n1,2,3\n100,2,30", "ends within a line"),
        ("time_us,unit,sample\n1,x,3\n", "has 'x' in column unit; give a number"),
        ("time_us,unit,sample\n1_0,2,3\n", "has '1_0' in column time_us"),
        ("time_us,unit,sample\nnan,2,3\n", "has 'nan' in column time_us"),
        ("time_us,unit,sample\n1.5,2,3\n", "time_us holds 1.5"),
        ("time_us,unit,sample\n-1,2,3\n", "has a spike at -1 µs"),
        ("time_us,unit,sample\n1,-2,3\n", "units holds -2"),
        ("time_us,unit,sample\n3e9,2,3\n", "time_us holds 3000000000.0"),
        ("time_us,unit,sample\n1,1e400,3\n", "unit holds inf"),
        ("time_s,unit,sample\n-0.1,2,3\n", "time_s holds -0.1; give seconds"),
        ("time_s,unit,sample\n3000,2,3\n", "time_s holds 3000.0"),
        ("time_us,unit,sample,label\n1,2,3,a\n1,2,3,b\n", "sample '3' has the labels 'a' and 'b'"),
        ("time_us,unit,sample,split\n1,2,3,dev\n", "sample '3' is in split 'dev'; choose from train, valid"),
        ("time_us,unit,sample,label\n1,2,3,9999999999999999999\n", "cannot be read as a table of events"),
        ("time_us,unit,sample,group\n1,2,3,\n", "sample '3' has a row without group"),
        ("time_us,unit,sample\n1,2,\n", "has a row without sample"),
        ("time_us,unit,sample\n,2,3\n", "has '' in column time_us"),
        ("time_us,unit,sample,n_units\n1,2,3,4\n1,2,3,5\n", "has n_units 4 and 5; give the same"),
        ("time_us,unit,sample,n_units\n1,2,3,2\n", "spike of unit 2, but n_units is 2"),
        ("time_us,unit,sample,duration_us\n7,2,3,6\n", r"spike at 7 µs, outside \[0, 6\]"),
        ("time_us,unit,sample,duration_us\n7,2,3,x\n", "has 'x' in column duration_us"),
        ('time_us,unit,sample\n1,2,"3\n', "cannot be read after row 0"),
        ("time_us,unit,sample\n1,2," + "3" * 200_000 + "\n", "cannot be read after row 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_importing(tmp_path: Path) -> None:
    path = table(tmp_path, TABLE)
    done = CliRunner().invoke(app, ["data", "import", str(path), str(tmp_path / "out.npz")])
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "out.npz").digest == load(path).digest


def test_random_damage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.integers(1000)},{rng.integers(50)},{k % 5},word {k % 5}" for k in range(60)]
    path = table(tmp_path, "\n".join(["time_us,unit,sample,label", *rows, ""]))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    trains = load(path)
    outcomes: Counter[str] = Counter()
    for attempt in range(500):
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 4])).tobytes())
        try:
            found = load(path)
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            outcomes["same" if found.digest == trains.digest else "changed"] += 1
    assert outcomes["refused"] > 250, outcomes


def is_same(a: SignalTable, b: SignalTable) -> bool:
    return len(a.signals) == len(b.signals) and all(
        np.array_equal(x, y) for x, y in zip(a.signals, b.signals, strict=True)
    )


def test_random_damage_of_values_over_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{k % 4},word {k % 4},{rng.normal():.6f},{rng.integers(256)}" for k in range(60)]
    path = table(tmp_path, "\n".join(["sample,label,x,y", *rows, ""]))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    expected = read_table(path, 40)
    outcomes: Counter[str] = Counter()
    for attempt in range(300):
        path.write_bytes(damaged(whole, np.random.default_rng([attempt, 8])).tobytes())
        try:
            found = read_table(path, 40)
        except InputError as error:
            assert str(path) in str(error)
            outcomes["refused"] += 1
        else:
            outcomes["same" if is_same(found, expected) else "changed"] += 1
    assert outcomes["refused"] > 100, outcomes
