"""The encoder: sound in, spikes of a row of bushy cells out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt16

from beyondrate.audio.membrane import MEMBRANES, MembraneFilter, membrane_filter
from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US
from beyondrate.ops import hair_cell

ENCODER_VERSION = 1
"""Raised whenever the same sound gives other spikes, so that files made before are not mistaken for new."""

CHANNELS_AT_ONCE = 64
"""Channels that go through filter and cells together; their velocities stay in the processor's cache."""

Spikes = tuple[Int32[np.ndarray, "_"], UInt16[np.ndarray, "_"]]
StreamSpikes = tuple[Int64[np.ndarray, "_"], UInt16[np.ndarray, "_"]]


class Encoder:
    """A cochlea: basilar membrane, hair cells, and one bushy cell a channel (Cramer et al., 2022).

    Args:
        n_channels: number of places on the membrane, from 22.5 kHz (channel 0) to 110 Hz (the last).
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
        rate_hz: int = 24_000,
        membrane: str = "causal",
        level: float | None = 0.3,
        ramp_s: float = 0.03,
        n_fibres: int = 40,
        seed: int = 0,
    ) -> None:
        if not 2 <= n_channels <= 1 << 16:
            raise InputError(f"n_channels is {n_channels}", remedy="give a number from 2 to 65536")
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
                35 minutes that a sample's times can count (for these there is :meth:`stream`).
        """
        passage = self.stream(rate_hz, stream=stream)
        sound = self._prepared(audio, rate_hz)
        times_us, units = _joined([passage.push(sound), passage.finish()])
        return times_us.astype(np.int32), units

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the spikes of a sound, for the record."""
        return {
            "n_channels": self.n_channels,
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

    def _prepared(self, audio: np.ndarray, rate_hz: int | float) -> Float32[np.ndarray, " samples"]:
        sound = _one_channel(audio).astype(np.float64)
        if len(sound) == 0:
            raise InputError("the sound is empty", remedy="drop it or record it again")
        if len(sound) / rate_hz * 1e6 > MAX_DURATION_US:
            raise InputError(
                f"the sound lasts {len(sound) / rate_hz:.0f} s", remedy="cut it, or use stream()"
            )
        if self.level is not None:
            rms = math.sqrt(np.mean(sound**2))
            if rms == 0:
                raise InputError("the sound is silent", remedy="drop it, or encode with level=None")
            sound *= self.level / rms
        n_ramp = min(round(self.ramp_s * rate_hz), len(sound) // 2)
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n_ramp) + 0.5) / max(n_ramp, 1))
        sound[:n_ramp] *= ramp
        sound[len(sound) - n_ramp :] *= ramp[::-1]
        return sound.astype(np.float32)


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
        self._filter: MembraneFilter = membrane_filter(n, rate_hz, encoder.rate_hz, encoder.membrane)
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
