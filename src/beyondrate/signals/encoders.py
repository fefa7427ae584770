"""Values over time to events: every channel becomes a unit for steps down (OFF) and one for steps up (ON).

Both encoders keep an estimate x̂ of the signal x (straight lines between its samples) and move it by the
threshold θ at the first microsecond at which |x - x̂| reaches θ; each such step is an event, so that the
signal can be had back to less than θ at every whole microsecond. They differ in what the estimate does
between events: see `level_crossing` and `sigma_delta`; the equations are in `beyondrate.ops.delta_code`.

Units are (polarity, channel), flattened, OFF before ON as with event cameras; meta["shape"] is
[2, channels], and meta["signal"] says how the signals were coded and how far they are from what the events
tell, channel by channel, at the samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float64, Int64

from beyondrate.errors import InputError
from beyondrate.events import MAX_DURATION_US, SpikeTrains
from beyondrate.ops import delta_code

EncoderName = Literal["level-crossing", "sigma-delta"]
ENCODERS: tuple[str, ...] = get_args(EncoderName)
_MOST_EVENTS = 1 << 30

Signal = Float64[np.ndarray, "time channel"]


class CodedSignals(NamedTuple):
    """Signals as events, and what that has cost.

    Args:
        trains: the events.
        start: what the estimate of each sample and channel starts from, in the signal's units.
        rms_error: of each channel over all samples, in the signal's units: x - x̂ at the sampling instants.
        largest_error: the largest of them, without its sign.
        error_bound: what the largest error stays below: the threshold, and what the signal changes within the
            microsecond that event times are rounded up to.
    """

    trains: SpikeTrains
    start: Float64[np.ndarray, "samples channels"]
    rms_error: Float64[np.ndarray, " channels"]
    largest_error: Float64[np.ndarray, " channels"]
    error_bound: Float64[np.ndarray, " channels"]


class _Coder(NamedTuple):
    encoder: EncoderName
    rate_hz: float
    thresholds: Float64[np.ndarray, " channels"]
    tau_s: float | None
    start: float | None

    @property
    def step_us(self) -> float:
        return 1e6 / self.rate_hz

    @property
    def tau_us(self) -> float:
        return math.inf if self.tau_s is None else self.tau_s * 1e6


def level_crossing(
    signals: Sequence[np.ndarray] | np.ndarray,
    rate_hz: float,
    threshold: float | Sequence[float] | np.ndarray,
    *,
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[int] | np.ndarray | None = None,
    start: float | None = None,
    channels: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> CodedSignals:
    """Send on delta: an event whenever a signal has moved by the threshold since its last event.

    What does not change is silent, so events tell of changes; how large a value is they tell only
    together with where it started (Miskowicz, Sensors 6, 2006).

    Args:
        signals: one array (time, channel) a sample, of any lengths; or one array (sample, time, channel).
        rate_hz: samples a second, at most 10^6.
        threshold: the step in the signal's units, one for all channels or one for each.
        labels: class of each sample.
        groups: who or what each sample came from.
        start: where the estimate starts, in the signal's units; None: at each sample's first value.
        channels: names of the channels.
        meta: more facts about the data.

    Raises:
        InputError: if a value is not finite, samples differ in their channels, or an argument means nothing.

    Example:
        >>> ramp = np.linspace(0, 1, 11)[:, None]
        >>> coded = level_crossing([ramp], rate_hz=1000, threshold=0.4, labels=[0])
        >>> coded.trains.times_us.tolist(), coded.trains.units.tolist()
        ([4000, 8000], [1, 1])
        >>> bool(coded.largest_error[0] < coded.error_bound[0])
        True
    """
    coder = _coder("level-crossing", signals, rate_hz, threshold, None, start)
    return _coded(coder, signals, labels, groups, channels, meta)


def sigma_delta(
    signals: Sequence[np.ndarray] | np.ndarray,
    rate_hz: float,
    threshold: float | Sequence[float] | np.ndarray,
    tau_s: float,
    *,
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[int] | np.ndarray | None = None,
    channels: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> CodedSignals:
    """Asynchronous sigma-delta modulation: the estimate falls to 0 with ``tau_s``, events hold it up.

    A constant x gives about x / (threshold * tau_s) events a second, so that events tell how large values
    are, and an exponential filter with ``tau_s`` reads them (Yoon, IEEE TNNLS 28, 2017). Take the signal's
    resting value off first: 0 is silent.

    Args:
        signals: as in `level_crossing`, and so are the others.
        rate_hz: samples a second.
        threshold: the step in the signal's units.
        tau_s: time constant of the estimate in seconds.
        labels: class of each sample.
        groups: who or what each sample came from.
        channels: names of the channels.
        meta: more facts about the data.

    Raises:
        InputError: as `level_crossing` does.

    Example:
        >>> coded = sigma_delta(np.full((1, 1001, 1), 2.0), 1000, threshold=0.5, tau_s=0.1, labels=[0])
        >>> int(coded.trains.n_spikes)
        38
    """
    if not 1e-6 <= tau_s < math.inf:
        raise InputError(f"tau_s is {tau_s}", remedy="give a time constant in seconds, 1e-6 or more")
    coder = _coder("sigma-delta", signals, rate_hz, threshold, float(tau_s), 0.0)
    return _coded(coder, signals, labels, groups, channels, meta)


def reconstruct(
    trains: SpikeTrains,
    at_s: Float64[np.ndarray, " times"] | None = None,
    *,
    start: float | Float64[np.ndarray, "samples channels"] | None = None,
) -> Float64[np.ndarray, "samples times channels"]:
    """Return the signals that events of `level_crossing` or `sigma_delta` tell of, perturbed ones too.

    Args:
        trains: the events, with meta["signal"].
        at_s: ascending times in seconds; default: the sampling instants of the longest sample.
        start: where the estimates start; needed after ``level_crossing(..., start=None)``, whose result
            has it; 0 gives the change since the start.

    Raises:
        InputError: if meta does not tell how the signals were coded, or the start is not known.

    Example:
        >>> ramp = np.linspace(0, 1, 5)[:, None]
        >>> coded = level_crossing([ramp], rate_hz=1000, threshold=0.25, labels=[0])
        >>> reconstruct(coded.trains, start=coded.start)[0, :, 0].tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    coder = _coder_of(trains)
    start = coder.start if start is None else start
    if start is None:
        raise InputError(
            "the signals were coded from their first values, which events do not tell",
            remedy="give start= of the coded signals, or 0 for the change since then",
        )
    if at_s is None:
        n_instants = max(1, math.floor(trains.duration_us * coder.rate_hz / 1e6 + 1e-6))
        at_s = np.arange(n_instants) / coder.rate_hz
    n_channels = len(coder.thresholds)
    starts = np.broadcast_to(np.asarray(start, np.float64), (len(trains), n_channels))
    found = np.empty((len(trains), len(at_s), n_channels))
    for sample in range(len(trains)):
        one = trains[sample]
        for channel in range(n_channels):
            is_its = one.units % n_channels == channel
            code = delta_code.Code(one.times_us[is_its].astype(np.int64), one.units[is_its] >= n_channels)
            found[sample, :, channel] = delta_code.decode(
                code, at_s * 1e6, coder.thresholds[channel], coder.tau_us, starts[sample, channel]
            )
    return found


def _coder(
    encoder: EncoderName,
    signals: Sequence[np.ndarray] | np.ndarray,
    rate_hz: float,
    threshold: float | Sequence[float] | np.ndarray,
    tau_s: float | None,
    start: float | None,
) -> _Coder:
    if not 0 < rate_hz <= 1e6:
        raise InputError(f"rate_hz is {rate_hz}", remedy="give samples a second, above 0 and up to 10^6")
    if start is not None and not math.isfinite(start):
        raise InputError(f"start is {start}", remedy="give a value in the signal's units, or None")
    shape = np.shape(signals[0]) if len(signals) else (0, 1)
    thresholds = np.atleast_1d(np.asarray(threshold, np.float64))
    if len(shape) == 2:
        if len(thresholds) not in (1, shape[1]):
            raise InputError(
                f"there are {len(thresholds)} thresholds for {shape[1]} channels",
                remedy="give one threshold, or one a channel",
            )
        thresholds = np.broadcast_to(thresholds, shape[1:])
    if not (np.isfinite(thresholds).all() and (thresholds > 0).all()):
        raise InputError(f"threshold is {threshold}", remedy="give a positive step in the signal's units")
    return _Coder(encoder, float(rate_hz), thresholds, tau_s, start)


def _coder_of(trains: SpikeTrains) -> _Coder:
    told = trains.meta.get("signal")
    if not isinstance(told, Mapping) or 2 * len(told.get("threshold", ())) != trains.n_units:
        raise InputError(
            "meta does not tell how signals became these events",
            remedy="give what level_crossing or sigma_delta has made",
        )
    thresholds = np.asarray(told["threshold"], np.float64)
    return _Coder(told["encoder"], told["rate_hz"], thresholds, told["tau_s"], told["start"])


def _coded(
    coder: _Coder,
    signals: Sequence[np.ndarray] | np.ndarray,
    labels: Sequence[int] | np.ndarray,
    groups: Sequence[int] | np.ndarray | None,
    channels: Sequence[str] | None,
    meta: Mapping[str, Any] | None,
) -> CodedSignals:
    n_channels = len(coder.thresholds)
    if channels is not None and len(channels) != n_channels:
        raise InputError(f"{len(channels)} names for {n_channels} channels", remedy="give one name a channel")
    checked = [_checked(signal, sample, coder) for sample, signal in enumerate(signals)]
    start = np.array([x[0] if coder.start is None else np.full(n_channels, coder.start) for x in checked])
    samples, squares, largest = [], np.zeros(n_channels), np.zeros(n_channels)
    for signal, begins in zip(checked, start, strict=True):
        times_us, units, error = _events(signal, begins, coder)
        samples.append((times_us, units))
        squares += np.sum(error**2, axis=0)
        largest = np.maximum(largest, np.abs(error).max(axis=0))
    n_values = sum(len(signal) for signal in checked)
    slope = np.max([np.abs(np.diff(x, axis=0)).max(axis=0, initial=0) for x in checked], axis=0, initial=0)
    rms, bound = np.sqrt(squares / max(n_values, 1)), coder.thresholds + slope / coder.step_us
    n_longest = max((len(signal) for signal in checked), default=1)
    facts = {
        "encoder": coder.encoder,
        "rate_hz": coder.rate_hz,
        "threshold": coder.thresholds.tolist(),
        "tau_s": coder.tau_s,
        "start": coder.start,
        **({"channels": list(channels)} if channels is not None else {}),
        "rms_error": rms.tolist(),
        "largest_error": largest.tolist(),
        "error_bound": bound.tolist(),
    }
    trains = SpikeTrains.from_samples(
        samples,
        labels=labels,
        groups=groups,
        n_units=2 * n_channels,
        duration_us=math.ceil(n_longest * coder.step_us - 1e-6),
        meta={**(meta or {}), "shape": [2, n_channels], "signal": facts},
    )
    return CodedSignals(trains, start.reshape(len(checked), n_channels), rms, largest, bound)


def _checked(signal: np.ndarray, sample: int, coder: _Coder) -> Signal:
    """Return one signal as float64, if it is one that can be coded."""
    n_channels = len(coder.thresholds)
    values = np.asarray(signal)
    if (
        values.ndim != 2
        or values.shape[1] != n_channels
        or not len(values)
        or values.dtype.kind not in "iufb"
    ):
        raise InputError(
            f"sample {sample} has shape {values.shape} of {values.dtype}, not (time, {n_channels}) numbers",
            remedy="give one array (time, channel) a sample, all of the same channels",
        )
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        time, channel = np.argwhere(~np.isfinite(values))[0].tolist()
        raise InputError(
            f"sample {sample} holds {values[time, channel]} at value {time} of channel {channel}",
            remedy="fill the gap or cut the sample there",
        )
    if len(values) * coder.step_us > MAX_DURATION_US:
        raise InputError(
            f"sample {sample} lasts {len(values) / coder.rate_hz:g} s",
            remedy=f"cut it into samples of {MAX_DURATION_US // 10**6} s at most",
        )
    travel = np.abs(np.diff(values, axis=0)).sum(axis=0) + 2 * np.abs(values).max(axis=0)
    travel += np.abs(values).sum(axis=0) * coder.step_us / coder.tau_us + abs(coder.start or 0)
    if (travel / coder.thresholds).sum() > _MOST_EVENTS:
        raise InputError(
            f"sample {sample} would give up to {(travel / coder.thresholds).sum():.2g} events",
            remedy="raise the threshold",
        )
    return values


def _events(
    signal: Signal, start: Float64[np.ndarray, " channels"], coder: _Coder
) -> tuple[Int64[np.ndarray, " events"], Int64[np.ndarray, " events"], Signal]:
    """Return times and units of one sample's events, and the error of what they tell."""
    n_channels = len(start)
    at_us = np.arange(len(signal)) * coder.step_us
    times, units, error = [], [], np.empty_like(signal)
    for channel in range(n_channels):
        values = np.ascontiguousarray(signal[:, channel])
        how = float(coder.thresholds[channel]), coder.tau_us, float(start[channel])
        code = delta_code.encode(values, coder.step_us, *how)
        times.append(code.times_us)
        units.append(code.is_up * n_channels + channel)
        error[:, channel] = values - delta_code.decode(code, at_us, *how)
    return np.concatenate(times), np.concatenate(units), error
