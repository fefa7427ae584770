"""Tables of values over time: what people export from recorders and spreadsheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from beyondrate.errors import InputError
from beyondrate.signals import read_table

TABLE = """time_s,sample,label,group,thumb,index
0.0,b,go,ann,1,0.5
0.025,b,go,ann,2,0.25
0.05,b,go,ann,4,-1e-3
0.0,a,stop,bob,7,7
0.025,a,stop,bob,8,9
"""


def table(folder: Path, text: str) -> Path:
    path = folder / "x.csv"
    path.write_bytes(text.encode())
    return path


def test_a_table_of_everything(tmp_path: Path) -> None:
    found = read_table(table(tmp_path, TABLE))
    assert [signal.tolist() for signal in found.signals] == [
        [[7, 7], [8, 9]],
        [[1, 0.5], [2, 0.25], [4, -1e-3]],
    ]
    assert (found.rate_hz, found.channels) == (40.0, ["thumb", "index"])
    assert (found.labels.tolist(), found.groups.tolist()) == ([1, 0], [1, 0])
    assert found.meta == {"label_names": ["go", "stop"], "group_names": ["ann", "bob"]}


def test_ways_to_tell_time(tmp_path: Path) -> None:
    in_us = TABLE.replace("time_s", "time_us").replace("0.025", "25000").replace("0.05,", "50000,")
    assert read_table(table(tmp_path, in_us)).rate_hz == 40.0
    untimed = "left,right\n1,2\n3,4\n"
    found = read_table(table(tmp_path, untimed), rate_hz=7)
    assert (found.rate_hz, len(found.signals), found.labels.tolist(), found.groups) == (7, 1, [0], None)


def test_tables_longer_than_a_block(tmp_path: Path) -> None:
    n = 70_000
    path = table(tmp_path, "\n".join(["sample,x", *(f"{k % 3},{k}" for k in range(n)), ""]))
    signals = read_table(path, rate_hz=1).signals
    for sample, signal in enumerate(signals):
        np.testing.assert_array_equal(signal[:, 0], np.arange(sample, n, 3))


@pytest.mark.parametrize(
    ("text", "rate_hz", "message"),
    [
        (TABLE, 40, "has the columns time_s, and 40 samples a second is given; give one"),
        ("x\n1\n", None, "has the columns no time, and no rate is given"),
        ("time_s,time_us,x\n1,1,1\n", None, "has the columns time_us, time_s"),
        ("sample,label\n1,2\n", 40, "has no channel; give each channel a column"),
        ("x,\n1,2\n", 40, "has a column without a name"),
        ("", 40, "is empty"),
        ("x\n", 40, "has no value"),
        ("x,x\n1,2\n", 40, "has the column 'x' twice"),
        ("x\nnan\n", 40, "has 'nan' in column x; give a number"),
        ("x\n\n1,2\n", 40, "row 1 has 2 fields"),
        ("x\n12", 40, "ends within a line"),
        ("time_s,x\n0,1\n", None, "has one row a sample"),
        (
            "time_s,x\n0,1\n1,1\n3,1\n4,1\n",
            None,
            "has times that are 2 s apart, others 1 s; put rows in order",
        ),
        ("time_s,x\n3,1\n2,1\n1,1\n", None, "has times that are -1 s apart"),
        ("sample,label,x\n1,a,0\n1,b,0\n", 40, "sample '1' has the labels 'a' and 'b'"),
        ("sample,x\n,0\n", 40, "has a row without sample"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, rate_hz: float | None, message: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path, rate_hz)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "none.csv")
