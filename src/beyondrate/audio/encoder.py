"""The encoder: sound in, spikes of a row of bushy cells out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt16

from beyondrate.audio.membrane import (
    LENGTH,
    MEMBRANES,
    WHOLE,
    MembraneFilter,
    characteristic_hz,
    membrane_filter,
    places,
)
from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US
from beyondrate.ops import hair_cell

ENCODER_VERSION = 1
"""Raised whenever the same sound gives other spikes, so that files made before are not mistaken for new."""

CHANNELS_AT_ONCE = 64
"""Channels that go through filter and cells together; their velocities stay in the processor's cache."""

BLOCK = 1 << 18
"""Samples of a long sound that are in memory at a time."""

LOWEST_HZ, HIGHEST_HZ = np.floor(characteristic_hz(np.array([LENGTH, 0.0]))).tolist()
"""Where the two ends of the membrane resonate, in whole Hz."""

Spikes = tuple[Int32[np.ndarray, "_"], UInt16[np.ndarray, "_"]]
StreamSpikes = tuple[Int64[np.ndarray, "_"], UInt16[np.ndarray, "_"]]


class Encoder:
    """A cochlea: basilar membrane, hair cells, and one bushy cell a channel (Cramer et al., 2022).

    Args:
        n_channels: number of places on the membrane, from ``high_hz`` (channel 0) to ``low_hz`` (the last).
        low_hz: the lowest characteristic frequency; default: that of the membrane's end, 110 Hz.
        high_hz: the highest characteristic frequency; default: that of its beginning, 22.5 kHz.
        rate_hz: steps a second inside; 24000, or 12000 at half the cost and some percent more spikes.
        membrane: "causal", or "heidelberg": each place's response reversed in time, as the encoder of the
            Heidelberg data sets makes it.
        level: root mean square to which each sound is scaled; None leaves it as it is.
        ramp_s: length of the raised-cosine ramps at a sound's two ends, in seconds.
        n_fibres: auditory nerve fibres that converge on a bushy cell.
        seed: of the nerve fibres' noise; with the ``stream`` of a sound it decides every draw.

    Raises:
        InputError: for a rate below 8 kHz, or a value that means nothing.

    Example:
        >>> tone = np.sin(2 * np.pi * 500 * np.arange(4000) / 16000)
        >>> times_us, units = Encoder(70).encode(tone, 16000, stream=0)
        >>> int(np.median(units))
        46
    """

    def __init__(
        self,
        n_channels: int = 700,
        *,
        low_hz: float | None = None,
        high_hz: float | None = None,
        rate_hz: int = 24_000,
        membrane: str = "causal",
        level: float | None = 0.3,
        ramp_s: float = 0.03,
        n_fibres: int = 40,
        seed: int = 0,
    ) -> None:
        if not 2 <= n_channels <= 1 << 16:
            raise InputError(f"n_channels is {n_channels}", remedy="give a number from 2 to 65536")
        low = LOWEST_HZ if low_hz is None else low_hz
        high = HIGHEST_HZ if high_hz is None else high_hz
        if not LOWEST_HZ <= low < high <= HIGHEST_HZ:
            raise InputError(
                f"the frequencies run from {low_hz} to {high_hz} Hz",
                remedy=f"give a range within {LOWEST_HZ:g} to {HIGHEST_HZ:g} Hz",
            )
        if membrane not in MEMBRANES:
            raise InputError(f"membrane is {membrane!r}", remedy=f"choose from {', '.join(MEMBRANES)}")
        if level is not None and not 0 < level < math.inf:
            raise InputError(f"level is {level}", remedy="give a positive root mean square, or None")
        if not 0 <= ramp_s < math.inf:
            raise InputError(f"ramp_s is {ramp_s}", remedy="give seconds, 0 for no ramps")
        if seed < 0:
            raise InputError(f"seed is {seed}", remedy="give 0 or more")
        self.constants = hair_cell.constants_at(rate_hz, n_fibres)
        self.n_channels = n_channels
        self.range_hz = (low_hz, high_hz)
        self.rate_hz = rate_hz
        self.membrane = membrane
        self.level = level
        self.ramp_s = ramp_s
        self.seed = seed

    def encode(self, audio: np.ndarray, rate_hz: int | float, *, stream: int) -> Spikes:
        """Return the spikes of a whole sound as (times_us, units), sorted by time.

        Args:
            audio: the sound, one channel, any kind of number.
            rate_hz: its sampling rate, whole Hz.
            stream: number of the sound; sounds of different number get independent noise.

        Raises:
            InputError: if the sound is empty, silent, not finite, not one channel, or longer than the
                35 minutes that a sample's times can count (for these there is :meth:`encode_blocks`).
        """
        sound = _one_channel(audio)
        n_most = int(rate_hz * MAX_DURATION_US / 1e6)
        if len(sound) > n_most > 0:
            raise InputError(
                f"the sound lasts {len(sound) / rate_hz:.0f} s", remedy="cut it, or use encode_blocks()"
            )
        blocks = [sound[start : start + BLOCK] for start in range(0, len(sound), BLOCK)]
        times_us, units = _joined(list(self.encode_blocks(lambda: blocks, rate_hz, stream=stream)))
        return times_us.astype(np.int32), units

    def encode_blocks(
        self, blocks: Callable[[], Iterable[np.ndarray]], rate_hz: int | float, *, stream: int
    ) -> Iterator[StreamSpikes]:
        """Yield the spikes of a sound of any length as (times_us, units), some at a time, sorted by time.

        The sound is gone through twice, since its level and its end must be known before the first sample
        is encoded. Memory does not grow with its length. In blocks of ``BLOCK`` samples, the last one
        shorter, the spikes are those of :meth:`encode`.

        Args:
            blocks: gives the sound from its start, one channel, each time that it is called.
            rate_hz: its sampling rate, whole Hz.
            stream: number of the sound; sounds of different number get independent noise.

        Raises:
            InputError: as :meth:`encode`, but for the length.
        """
        passage = self.stream(rate_hz, stream=stream)
        n_samples, power = 0, 0.0
        for block in blocks():
            n_samples += len(block)
            power += float(np.sum(_one_channel(block).astype(np.float64) ** 2))
        if n_samples == 0:
            raise InputError("the sound is empty", remedy="drop it or record it again")
        if self.level is not None and power == 0:
            raise InputError("the sound is silent", remedy="drop it, or encode with level=None")
        gain = 1.0 if self.level is None else self.level / math.sqrt(power / n_samples)
        n_ramp = min(round(self.ramp_s * rate_hz), n_samples // 2)
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n_ramp) + 0.5) / max(n_ramp, 1))
        first = 0
        for block in blocks():
            yield passage.push(_with_ramps(block * np.float64(gain), ramp, first, n_samples))
            first += len(block)
        yield passage.finish()

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the spikes of a sound, for the record."""
        narrowed = {} if self.range_hz == WHOLE else {"range_hz": list(self.range_hz)}
        return {
            "n_channels": self.n_channels,
            **narrowed,
            "rate_hz": self.rate_hz,
            "membrane": self.membrane,
            "level": self.level,
            "ramp_s": self.ramp_s,
            "n_fibres": self.constants.n_fibres,
            "seed": self.seed,
            "version": ENCODER_VERSION,
        }

    def stream(self, rate_hz: int | float, *, stream: int) -> EncoderStream:
        """Return an encoder of one sound that comes in blocks; it neither scales nor ramps the sound."""
        if rate_hz != int(rate_hz) or not 1000 <= rate_hz <= 1_000_000:
            raise InputError(f"a sampling rate of {rate_hz} Hz", remedy="give whole Hz, 1000 to 1000000")
        return EncoderStream(self, int(rate_hz), stream)

    def characteristic_hz(self) -> Float64[np.ndarray, " channels"]:
        """Return the frequency to which each channel is tuned, falling from channel to channel."""
        return characteristic_hz(places(self.n_channels, self.range_hz))


class EncoderStream:
    """One sound on its way through an :class:`Encoder`; memory does not grow with the sound's length.

    The spikes of all pushes and of :meth:`finish`, one after another, do not depend on how the sound was
    cut into blocks.

    Example:
        >>> stream = Encoder(70, level=None).stream(16000, stream=0)
        >>> parts = [stream.push(block) for block in np.ones((4, 1600), dtype=np.float32)]
        >>> times_us, units = stream.finish()
    """

    def __init__(self, encoder: Encoder, rate_hz: int, stream: int) -> None:
        n = encoder.n_channels
        self._encoder = encoder
        self._rate_hz = rate_hz
        self._filter: MembraneFilter = membrane_filter(
            n, rate_hz, encoder.rate_hz, encoder.membrane, encoder.range_hz
        )
        self._keys = hair_cell.channel_keys(encoder.seed, stream, n)
        self._state = hair_cell.resting_state(n, encoder.constants)
        overlap = self._filter.window_out - self._filter.hop_out
        self._overlap = np.zeros((n, overlap), dtype=np.float32)
        self._pending = np.zeros(0, dtype=np.float32)
        self._n_in = 0
        self._n_out = -self._filter.lead_out  # steps made; those before 0 precede the sound

    def push(self, block: np.ndarray) -> StreamSpikes:
        """Take the next samples, return the spikes that are now certain as (times_us, units).

        Raises:
            InputError: if the samples are not one channel, or not finite.
        """
        pending = np.concatenate([self._pending, _one_channel(block).astype(np.float32)])
        self._n_in += len(block)
        hop = self._filter.hop_in
        n_whole = len(pending) // hop
        spikes = [
            self._advance(pending[i * hop : (i + 1) * hop], self._filter.hop_out) for i in range(n_whole)
        ]
        self._pending = pending[n_whole * hop :].copy()
        return _joined(spikes)

    def finish(self) -> StreamSpikes:
        """Return the spikes that were still to come; nothing can be pushed afterwards."""
        n_total = math.ceil(self._n_in * self._encoder.rate_hz / self._rate_hz)
        spikes = []
        pending = self._pending
        while self._n_out < n_total:
            spikes.append(self._advance(pending, min(self._filter.hop_out, n_total - self._n_out)))
            pending = pending[:0]
        return _joined(spikes)

    def _advance(self, block: Float32[np.ndarray, " samples"], n_steps: int) -> StreamSpikes:
        """Send one block through membrane and cells, ``n_steps`` steps on."""
        spectrum = self._filter.spectrum(block)
        hop, n_overlap = self._filter.hop_out, self._overlap.shape[1]
        skipped = min(max(0, -self._n_out), n_steps)
        steps, channels = [], []
        for start in range(0, self._encoder.n_channels, CHANNELS_AT_ONCE):
            group = slice(start, start + CHANNELS_AT_ONCE)
            velocity = self._filter.velocity(spectrum, group)
            velocity[:, :n_overlap] += self._overlap[group]
            self._overlap[group] = velocity[:, hop:]
            found = hair_cell.fire(
                velocity[:, skipped:n_steps],
                self._state.channels(group),
                self._keys[group],
                self._n_out + skipped,
                self._encoder.constants,
            )
            steps.append(found[0])
            channels.append(found[1] + start)
        step = np.concatenate(steps)
        order = np.argsort(step, kind="stable")
        times = (step[order] + np.int64(self._n_out + skipped)) * 1e6 / self._encoder.rate_hz
        self._n_out += n_steps
        return np.rint(times).astype(np.int64), np.concatenate(channels)[order].astype(np.uint16)


def _with_ramps(
    block: Float64[np.ndarray, " samples"], ramp: Float64[np.ndarray, " ramp"], first: int, n_samples: int
) -> Float64[np.ndarray, " samples"]:
    """Fade the part of a block that lies near the two ends of the sound, in place."""
    place = np.arange(first, first + len(block))
    to_end = np.minimum(place, n_samples - 1 - place)
    near = to_end < len(ramp)
    block[near] *= ramp[to_end[near]]
    return block


def _one_channel(audio: np.ndarray) -> np.ndarray:
    sound = np.asarray(audio)
    if sound.ndim != 1:
        raise InputError(f"the sound has shape {sound.shape}", remedy="give one channel")
    if not np.isfinite(sound).all():
        raise InputError("the sound holds values that are not finite", remedy="mend or drop it")
    return sound


def _joined(spikes: list[StreamSpikes]) -> StreamSpikes:
    nothing: StreamSpikes = (np.zeros(0, np.int64), np.zeros(0, np.uint16))
    times_us, units = zip(nothing, *spikes, strict=True)
    return np.concatenate(times_us), np.concatenate(units)
