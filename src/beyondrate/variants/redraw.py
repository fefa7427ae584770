"""Norm again with other spikes: what training may draw anew for every epoch, where part is at hand."""

from __future__ import annotations

import numpy as np

from beyondrate.errors import InputError
from beyondrate.events import SpikeTrains
from beyondrate.ops.thin import draw_subset, kept_offsets


def redraw(normed: SpikeTrains, parted: SpikeTrains, seed: int | np.random.Generator) -> SpikeTrains:
    """Return the samples of a norm with other spikes of part, as many of each unit, drawn at random.

    A norm is one draw of many: each train of part was drawn down to the poorest of its unit. A network that
    sees another draw in every epoch cannot learn the spikes of one by heart, and learns nothing from counts
    either, which are the same in every draw. Ours; the published sets are single draws.

    Args:
        normed: training samples of a norm.
        parted: the same samples of part, in the same order.
        seed: seed or generator of the draw.

    Raises:
        InputError: if they are not the same samples, or part lacks spikes that norm has.

    Example:
        >>> from beyondrate import variants
        >>> trains = SpikeTrains.from_samples(
        ...     [(range(5), [0, 0, 1, 1, 1]), (range(6), [0, 0, 0, 1, 1, 2])],
        ...     labels=[0, 1], n_units=3, duration_us=10)
        >>> redraw(variants.norm(trains), variants.part(trains), seed=3).counts().tolist()
        [[2, 2], [2, 2]]
    """
    if not np.array_equal(normed.labels, parted.labels) or normed.n_units != parted.n_units:
        raise InputError(
            f"norm's {len(normed)} samples of {normed.n_units} units are not part's "
            f"{len(parted)} samples of {parted.n_units} units",
            remedy="give the same samples of norm(data) and part(data), made with the same seed",
        )
    quota = normed.counts().astype(np.int64)
    if (parted.counts() < quota).any():
        raise InputError("part lacks spikes that norm has", remedy="give the part that the norm was made of")
    draws = np.random.default_rng(seed).random(parted.n_spikes)
    keep = draw_subset(parted.units, parted.offsets, quota, draws)
    drawn = parted.with_spikes(parted.times_us[keep], parted.units[keep], kept_offsets(parted.offsets, keep))
    return drawn.with_meta(variant=normed.meta.get("variant", {}))
