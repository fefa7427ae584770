"""Norm drawn anew: other spikes of part, the same counts."""

import numpy as np
import pytest

from beyondrate import InputError, tasks, variants
from beyondrate.variants.redraw import redraw


@pytest.fixture(scope="module")
def made():
    trains = tasks.coincidence.generate(60, seed=0)
    return variants.part(trains, seed=1), variants.norm(trains, seed=1)


def test_every_draw_keeps_the_counts_and_takes_other_spikes_of_part(made):
    part, norm = made
    draws = [redraw(norm, part, seed) for seed in range(4)]
    assert len({draw.digest for draw in [norm, *draws]}) == 5
    for draw in draws:
        assert (draw.counts() == norm.counts()).all()
        assert variants.certificate(draw, part).holds
    assert redraw(norm, part, 0).digest == draws[0].digest


def test_every_spike_of_part_is_as_likely(made):
    part, norm = made
    times = np.arange(part.n_spikes)
    seen = np.zeros(part.n_spikes)
    n_draws = 300
    keys = {
        key: i
        for i, key in enumerate(
            zip(
                np.repeat(np.arange(len(part)), part.spikes_per_sample),
                part.units,
                part.times_us,
                strict=True,
            )
        )
    }
    for seed in range(n_draws):
        draw = redraw(norm, part, seed)
        sample = np.repeat(np.arange(len(draw)), draw.spikes_per_sample)
        for key in zip(sample, draw.units, draw.times_us, strict=True):
            seen[keys[key]] += 1
    quota, counts = norm.counts(), part.counts()
    sample = np.repeat(np.arange(len(part)), part.spikes_per_sample)
    expected = quota[sample, part.units] / counts[sample, part.units]
    error = np.sqrt(expected * (1 - expected) / n_draws).clip(1e-9)
    assert len(times) > 1000
    assert (np.abs(seen / n_draws - expected) / error)[expected < 1].max() < 5.5
    assert (seen[expected == 1] == n_draws).all()


def test_other_samples_are_refused(made):
    part, norm = made
    with pytest.raises(InputError, match="samples"):
        redraw(norm[:10], part, 0)
    with pytest.raises(InputError, match="lacks spikes"):
        redraw(part, norm, 0)
