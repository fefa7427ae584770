import numpy as np

from beyondrate import tasks
from beyondrate.events import SpikeTrains


def test_rasters_show_the_first_sample_of_every_class():
    trains = tasks.isi.generate(30, seed=0)
    shown = tasks.rasters(trains)
    assert [raster.title for raster in shown] == ["low", "high"]
    for label, raster in enumerate(shown):
        sample = trains[int(np.flatnonzero(trains.labels == label)[0])]
        assert np.array_equal(raster.times_ms * 1000, sample.times_us)
        assert np.array_equal(raster.units, sample.units)
        assert len(raster.units) > 100


def test_samples_can_be_named_and_classes_may_have_no_names():
    trains = SpikeTrains.from_samples(
        [([1500], [0]), ([], []), ([100, 200], [1, 1])], labels=[2, 0, 2], n_units=2, duration_us=3000
    )
    shown = tasks.rasters(trains, [2, 1])
    assert [(raster.title, raster.times_ms.tolist()) for raster in shown] == [
        ("class 2", [0.1, 0.2]),
        ("class 0", []),
    ]
