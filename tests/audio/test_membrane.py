"""The basilar membrane against its differential equation's solution by quadrature, and as a filter."""

import numpy as np
import pytest
from scipy import integrate, special

from beyondrate.audio import membrane
from beyondrate.audio.membrane import MembraneFilter, characteristic_hz, places, transfer


def by_quadrature(frequency_hz, place):
    """V(ω, x) with the phase integral ∫g dx done numerically."""
    omega = 2 * np.pi * frequency_hz
    resistance = membrane.DAMPING * np.sqrt(membrane.STIFFNESS * membrane.MASS)

    def impedance(x):
        return (
            membrane.STIFFNESS * np.exp(-3 * x)
            - membrane.STIFFNESS_OFFSET
            - membrane.MASS * omega**2
            - 1j * omega * resistance * np.exp(-1.5 * x)
        )

    def wave_number(x):
        return omega * np.sqrt(1 / (membrane.CANAL_HEIGHT * impedance(x)))

    turn = np.clip(
        -np.log((membrane.STIFFNESS_OFFSET + membrane.MASS * omega**2) / membrane.STIFFNESS) / 3, 0, place
    )
    phase0 = 2 * wave_number(0.0) / 3
    travelled = integrate.quad(wave_number, 0, place, points=[turn], limit=500, complex_func=True)[0]
    phase = phase0 + travelled
    pressure = [
        np.sqrt(p / g) * special.hankel1(0, p)
        for p, g in ((phase, wave_number(place)), (phase0, wave_number(0.0)))
    ]
    zeta = 2 * omega / 3 * np.sqrt(2 / (membrane.CANAL_HEIGHT * membrane.STIFFNESS))
    entrance = 1j * np.sqrt(2 * membrane.STIFFNESS / membrane.CANAL_HEIGHT)
    entrance *= special.hankel2(0, zeta) / special.hankel2(1, zeta)
    return 2 * omega / impedance(place) * pressure[0] / pressure[1] * entrance


@pytest.mark.parametrize("frequency_hz", [60.0, 440.0, 3000.0, 9000.0])
@pytest.mark.parametrize("place", [0.3, 1.3, 2.4, 3.5])
def test_transfer_is_the_solution_by_quadrature(frequency_hz, place):
    found = transfer(np.array([frequency_hz]), np.array([place]))[0, 0]
    expected = by_quadrature(frequency_hz, place)
    assert abs(found - expected) <= 1e-6 * abs(expected) + 1e-12


def test_transfer_is_finite_over_the_whole_band():
    gain = np.abs(transfer(np.linspace(1, 24_000, 500), places(700)[::20]))
    assert np.isfinite(gain).all()
    assert (gain.max(axis=1) > 100 * gain[:, -1])[10:].all()


def test_places_resonate_near_their_characteristic_frequency():
    frequency = np.linspace(20, 12_000, 4000)
    gain = np.abs(transfer(frequency, places(15)[4:]))
    best = frequency[gain.argmax(axis=1)]
    assert (np.diff(best) < 0).all()
    np.testing.assert_allclose(best, characteristic_hz(places(15)[4:]), rtol=0.35)


def click_response(kind, rate_in_hz=48_000, rate_out_hz=24_000):
    bank = MembraneFilter(200, rate_in_hz, rate_out_hz, kind)
    click = np.zeros(bank.hop_in, dtype=np.float32)
    click[0] = 1
    velocity = bank.velocity(bank.spectrum(click), slice(0, 200)).astype(np.float64)
    return velocity, (np.arange(velocity.shape[1]) - bank.lead_out) / rate_out_hz


def test_a_click_is_followed_by_its_response_in_causal_and_preceded_in_heidelberg():
    frequency = characteristic_hz(places(200))
    low = frequency <= 3500
    centroid = {}
    for kind, sign in (("causal", 1), ("heidelberg", -1)):
        velocity, time = click_response(kind)
        energy = velocity**2 / np.sum(velocity**2, axis=1, keepdims=True)
        on_the_right_side = energy[:, sign * time >= -1e-4].sum(axis=1)
        assert (on_the_right_side[low] > 0.999).all()
        centroid[kind] = (energy * time).sum(axis=1)
    at_1600 = np.argmin(np.abs(frequency - 1600))
    assert centroid["heidelberg"][at_1600] == pytest.approx(-1.6e-3, abs=0.1e-3)
    assert centroid["heidelberg"][-1] == pytest.approx(-25e-3, abs=1e-3)
    np.testing.assert_allclose(centroid["causal"][low], -centroid["heidelberg"][low], rtol=0.02)


def test_heidelberg_is_causal_mirrored_in_time():
    causal, time = click_response("causal")
    heidelberg, mirrored_time = click_response("heidelberg")
    zero, mirrored_zero = np.argmin(np.abs(time)), np.argmin(np.abs(mirrored_time))
    n = 1500  # 62 ms
    low = characteristic_hz(places(200)) < 8000
    forward = causal[low, zero : zero + n]
    backward = heidelberg[low, mirrored_zero - n + 1 : mirrored_zero + 1][:, ::-1]
    assert np.abs(forward - backward).max() < 2e-3 * np.abs(forward).max()


@pytest.mark.parametrize("rate_in_hz", [8000, 16_000, 22_050, 44_100, 44_101])
@pytest.mark.parametrize("kind", ["causal", "heidelberg"])
def test_overlap_add_at_any_rate_gives_a_tone_the_transfer_functions_gain(rate_in_hz, kind):
    """A tone through several blocks, in its steady state, at the sample and at the phase."""
    tone_hz = 437.0
    bank = MembraneFilter(30, rate_in_hz, 12_000, kind)
    n_blocks = 3
    time_in = np.arange(n_blocks * bank.hop_in) / rate_in_hz
    tone = np.cos(2 * np.pi * tone_hz * time_in).astype(np.float32)
    velocity = np.zeros((30, (n_blocks - 1) * bank.hop_out + bank.window_out))
    for i in range(n_blocks):
        block = bank.velocity(bank.spectrum(tone[i * bank.hop_in : (i + 1) * bank.hop_in]), slice(0, 30))
        velocity[:, i * bank.hop_out : i * bank.hop_out + bank.window_out] += block
    steady = slice(bank.lead_out + int(0.2 * 12_000), bank.lead_out + int(0.7 * 12_000))
    time_out = (np.arange(velocity.shape[1]) - bank.lead_out) / 12_000
    gain = transfer(np.array([tone_hz]), places(30))[:, 0]
    gain = gain.conj() if kind == "causal" else gain
    expected = (gain[:, None] * np.exp(2j * np.pi * tone_hz * time_out)).real
    error = np.abs(velocity - expected)[:, steady].max(axis=1)
    assert (error < 5e-3 * np.abs(gain).max()).all()
    assert (error < 2e-2 * np.abs(gain))[np.abs(gain) > 1e-2 * np.abs(gain).max()].all()
