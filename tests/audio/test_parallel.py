"""Work in threads: in order, and stopped when something goes wrong."""

import time

import pytest

from beyondrate.audio.parallel import in_threads


def test_results_come_in_the_order_of_the_items():
    def late_first(i):
        time.sleep(0.002 * (5 - i))
        return i * i

    assert list(in_threads(late_first, range(5), 3)) == [0, 1, 4, 9, 16]


def test_what_has_not_begun_is_dropped_after_an_error_or_when_the_consumer_stops():
    begun = []

    def work(i):
        begun.append(i)
        time.sleep(0.005)
        if i == 3:
            raise ValueError("three")
        return i

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, range(200), 2))
    assert len(begun) < 50
    begun.clear()
    for result in in_threads(work, range(200), 2):
        if result == 1:
            break
    time.sleep(0.05)
    assert len(begun) < 50
