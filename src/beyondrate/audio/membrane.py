"""The basilar membrane as a bank of linear filters, one a place, applied by overlap-add.

The cochlea is a shallow canal of water under an elastic membrane whose stiffness falls exponentially with
the distance from the oval window (Sieroka, Dosch, Rupp 2006; Cramer et al., IEEE TNNLS 33, 2022). The
equations have a closed solution in the frequency domain, so each place is one transfer function.
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache

import numpy as np
import scipy.fft
from jaxtyping import Complex64, Complex128, Float32, Float64
from scipy.special import hankel1e, hankel2

MEMBRANES = ("causal", "heidelberg")

STIFFNESS, STIFFNESS_OFFSET, STIFFNESS_DECAY = 1e9, 3500.0, 3.0  # C0, a, α
MASS, CANAL_HEIGHT, DAMPING, DENSITY = 0.05, 0.1, 0.15, 1.0  # m, h, δ, ρ
LENGTH = 3.5  # places run over [0, LENGTH], from the oval window to the apex
KERNEL_S = 0.095  # how long a place rings
EDGE_S = 0.005  # how long the band limit rings on the other side of time zero
BLOCK_S = 0.32  # about how much sound is transformed at a time

RangeHz = tuple[float | None, float | None]  # lowest and highest; None: the end of the membrane
WHOLE: RangeHz = (None, None)


def places(n_channels: int, range_hz: RangeHz = WHOLE) -> Float64[np.ndarray, " channels"]:
    """Return the place of each channel, equal steps from where the highest frequency resonates.

    >>> characteristic_hz(places(3, (200.0, 5000.0))).round().tolist()
    [5000.0, 1010.0, 200.0]
    """
    low_hz, high_hz = range_hz
    first = 0.0 if high_hz is None else _place_of(high_hz)
    last = LENGTH if low_hz is None else _place_of(low_hz)
    return np.linspace(first, last, n_channels)


def _place_of(frequency_hz: float) -> float:
    """Return the place that resonates at a frequency."""
    stiffness = MASS * (2 * math.pi * frequency_hz) ** 2 + STIFFNESS_OFFSET
    return -math.log(stiffness / STIFFNESS) / STIFFNESS_DECAY


def characteristic_hz(place: Float64[np.ndarray, " channels"]) -> Float64[np.ndarray, " channels"]:
    """Return the frequency at which each place resonates.

    >>> characteristic_hz(places(700))[[0, -1]].round().tolist()
    [22508.0, 110.0]
    """
    stiffness = STIFFNESS * np.exp(-STIFFNESS_DECAY * place) - STIFFNESS_OFFSET
    return np.sqrt(stiffness / MASS) / (2 * np.pi)


def transfer(
    frequency_hz: Float64[np.ndarray, " bins"], place: Float64[np.ndarray, " channels"]
) -> Complex128[np.ndarray, "channels bins"]:
    """Return velocity over sound pressure of each place at each positive frequency, for e^{-iωt}.

    Sieroka, Dosch, Rupp (2006): impedance ξ = C0 e^{-αx} - a - mω² - iωR0 e^{-αx/2}; wave number
    g = ω √(ρ / hξ) and its integral G; pressure p ∝ √(G / g) H0⁽¹⁾(G); velocity 2ω/ξ · p(x)/p(0) · z(ω).
    """
    omega = 2 * np.pi * frequency_hz
    resistance = DAMPING * math.sqrt(STIFFNESS * MASS)
    s = np.sqrt(STIFFNESS_OFFSET + MASS * omega**2)

    def impedance(u: np.ndarray) -> np.ndarray:
        return STIFFNESS * u**2 - s**2 - 1j * omega * resistance * u

    def wave_number(xi: np.ndarray) -> np.ndarray:
        return omega * np.sqrt(DENSITY / (CANAL_HEIGHT * xi))

    def antiderivative(u: np.ndarray, xi: np.ndarray) -> np.ndarray:
        return (2 * s**2 + 1j * omega * resistance * u + 2j * s * np.sqrt(xi)) / u

    window, u = np.ones((1, 1)), np.exp(-STIFFNESS_DECAY * place / 2)[:, None]
    xi0, xi = impedance(window), impedance(u)
    g0, g = wave_number(xi0), wave_number(xi)
    phase0 = 2 * g0 / STIFFNESS_DECAY
    travelled = np.log(antiderivative(window, xi0) / antiderivative(u, xi))
    phase = phase0 - 2j * omega / (STIFFNESS_DECAY * math.sqrt(CANAL_HEIGHT) * s) * travelled
    # hankel1e is H0⁽¹⁾(G) e^{-iG}: the factors e^{iG} go in as a ratio, which does not underflow.
    pressure = np.sqrt(phase / phase0 * g0 / g) * hankel1e(0, phase) / hankel1e(0, phase0)
    pressure *= np.exp(1j * (phase - phase0))
    zeta = 2 * omega / STIFFNESS_DECAY * math.sqrt(2 / (CANAL_HEIGHT * STIFFNESS))
    entrance = 1j * math.sqrt(2 * STIFFNESS / CANAL_HEIGHT) * hankel2(0, zeta) / hankel2(1, zeta)
    return 2 * omega / xi * pressure * entrance


class MembraneFilter:
    """The filters of all channels between two sampling rates, ready for overlap-add.

    A block of ``hop_in`` samples makes ``window_out`` samples of velocity, of which the last
    ``window_out - hop_out`` overlap the next block's. The output lags by ``lead_out`` samples, which
    makes room for what precedes a sample's own time: the ringing of the band limit, and in
    "heidelberg" the whole response.
    """

    def __init__(
        self,
        n_channels: int,
        rate_in_hz: int,
        rate_out_hz: int,
        membrane: str,
        range_hz: RangeHz = WHOLE,
    ) -> None:
        unit = math.gcd(rate_in_hz, rate_out_hz)  # blocks are whole numbers of 1/unit seconds at both rates
        kernel = math.ceil((KERNEL_S + EDGE_S) * unit - 1e-6)
        hop = max(kernel, round(BLOCK_S * unit))
        self.hop_in, self.hop_out = hop * rate_in_hz // unit, hop * rate_out_hz // unit
        self.window_in = (hop + kernel) * rate_in_hz // unit
        self.window_out = (hop + kernel) * rate_out_hz // unit
        lead_s = EDGE_S if membrane == "causal" else KERNEL_S
        self.lead_out = round(lead_s * rate_out_hz)
        self.n_channels = n_channels
        limit_hz = min(rate_in_hz, rate_out_hz) / 2
        frequency = (
            np.arange(1, math.ceil(limit_hz * self.window_in / rate_in_hz)) * rate_in_hz / self.window_in
        )
        self.gain: Complex64[np.ndarray, "channels bins"] = np.zeros(
            (n_channels, len(frequency) + 1), dtype=np.complex64
        )
        lag = np.exp(-2j * np.pi * frequency * self.lead_out / rate_out_hz)
        shape = _band_limit(frequency, limit_hz) * (rate_out_hz / rate_in_hz) * lag
        place = places(n_channels, range_hz)
        for start in range(0, n_channels, 32):
            part = transfer(frequency, place[start : start + 32])
            self.gain[start : start + 32, 1:] = (part.conj() if membrane == "causal" else part) * shape

    def spectrum(self, block: Float32[np.ndarray, " samples"]) -> Complex64[np.ndarray, " bins"]:
        """Return the spectrum of a block of at most ``hop_in`` samples, as :meth:`velocity` takes it."""
        return scipy.fft.rfft(block, n=self.window_in)[: self.gain.shape[1]]

    def velocity(
        self, spectrum: Complex64[np.ndarray, " bins"], channels: slice
    ) -> Float32[np.ndarray, "channels window_out"]:
        """Return the velocity of some channels that one block causes."""
        gain = self.gain[channels]
        product = np.zeros((len(gain), self.window_out // 2 + 1), dtype=np.complex64)
        np.multiply(gain, spectrum, out=product[:, : gain.shape[1]])
        return scipy.fft.irfft(product, n=self.window_out, axis=1, overwrite_x=True)


_cached_filter = lru_cache(maxsize=4)(MembraneFilter)
_making_filter = threading.Lock()


def membrane_filter(
    n_channels: int, rate_in_hz: int, rate_out_hz: int, membrane: str, range_hz: RangeHz = WHOLE
) -> MembraneFilter:
    """Return the filters, which are made once for each combination, also when many threads ask at once."""
    with _making_filter:
        return _cached_filter(n_channels, rate_in_hz, rate_out_hz, membrane, range_hz)


def _band_limit(frequency: Float64[np.ndarray, " bins"], limit_hz: float) -> Float64[np.ndarray, " bins"]:
    """Fall from 1 to 0 over the last tenth of the band, so that the cut rings for milliseconds only."""
    fraction = np.clip((limit_hz - frequency) / (0.1 * limit_hz), 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * fraction)
