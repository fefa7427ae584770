"""The encoder against the published equations, solved here once more, slowly, in double precision.

Membrane: Sieroka, Dosch, Rupp (2006) with the wave number's integral by quadrature. Cells: every nerve fibre
and every synapse on its own, as Cramer et al. (2022) describe them.
"""

import numpy as np
import pytest
from scipy import signal, special
from scipy.spatial.distance import cdist

from beyondrate.audio import Encoder, membrane
from beyondrate.audio.membrane import MembraneFilter, places, transfer

RATE_HZ = 24_000
C0, A, ALPHA, M, H, DELTA = 1e9, 3500.0, 3.0, 0.05, 0.1, 0.15


def impedance(omega, x):
    resistance = DELTA * np.sqrt(C0 * M)
    return C0 * np.exp(-ALPHA * x) - A - M * omega**2 - 1j * omega * resistance * np.exp(-ALPHA * x / 2)


def velocity_by_quadrature(frequency_hz, place, n_nodes=200):
    """V(ω, x); the path of integration bows above the real axis, away from the root's branch point below."""
    omega, x = 2 * np.pi * frequency_hz[None, :], place[:, None]

    def wave_number(x):
        return omega * np.sqrt(1 / (H * impedance(omega, x)))

    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    travelled = 0
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        path = x * node + 0.8j * node * (1 - node) * (x > 0)
        along = x + 0.8j * (1 - 2 * node) * (x > 0)
        travelled = travelled + weight * wave_number(path) * along
    phase0 = 2 * wave_number(0.0) / ALPHA
    phase = phase0 + travelled
    pressure = np.sqrt(phase / wave_number(x) * wave_number(0.0) / phase0)
    pressure = pressure * special.hankel1e(0, phase) / special.hankel1e(0, phase0) * np.exp(1j * travelled)
    zeta = 2 * omega / ALPHA * np.sqrt(2 / (H * C0))
    entrance = 1j * np.sqrt(2 * C0 / H) * special.hankel2(0, zeta) / special.hankel2(1, zeta)
    return 2 * omega / impedance(omega, x) * pressure * entrance


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n) * np.hanning(n)


def on_the_references_grid(sound, gain):
    """The reference takes frequencies from 1 Hz to 24 kHz, and an inverse transform of half the length."""
    spectrum = np.fft.fft(sound)[: len(sound) // 2 + 1]
    return np.fft.ifft(gain(np.linspace(1, 24_000, len(spectrum))) * spectrum, axis=1).real


def test_membrane_is_the_solution_by_quadrature_to_1e_12():
    place, sound = places(15), noise(960)
    found = on_the_references_grid(sound, lambda frequency: transfer(frequency, place))
    expected = on_the_references_grid(sound, lambda frequency: velocity_by_quadrature(frequency, place))
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert (largest > 1).all()
    assert np.abs((found - expected) / largest).max() < 1e-12


def test_membrane_is_the_reference_programs_to_1e_12():
    reference = pytest.importorskip("lauscher.transformations.basilar_membrane")
    model, sound = reference.BasilarMembrane(channels=15), noise(2880)
    found = on_the_references_grid(sound, lambda frequency: transfer(frequency, places(15)))
    spectrum = np.fft.fft(sound)[:1441]
    omega = 2 * np.pi * np.linspace(1, 24_000, 1441)
    expected = np.stack([model.process_single_channel(c, omega, spectrum) for c in model.ch])
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert np.abs((found - expected) / largest).max() < 1e-12


def exact_velocity(sound, place, kind):
    """The sound filtered without blocks, in double precision, with silence around it for what rings."""
    n = len(sound)
    spectrum = np.fft.rfft(sound, 8 * n)
    frequency = np.arange(1, 4 * n) * RATE_HZ / (8 * n)
    gain = transfer(frequency, place)
    spectrum = spectrum[1:-1] * (gain.conj() if kind == "causal" else gain)
    return np.fft.irfft(np.pad(spectrum, ((0, 0), (1, 1))), axis=1)[:, :n]


def below_10_khz(sound):
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE_HZ) > 10_000] = 0
    return np.fft.irfft(spectrum, len(sound))


@pytest.mark.parametrize("kind", membrane.MEMBRANES)
def test_the_bound_of_blocks_and_single_precision(kind):
    """What the encoder gives up for speed: 95 ms of ringing and 24 bits, stated in docs/encoding.md."""
    place, sound = places(40), below_10_khz(noise(RATE_HZ))
    bank = MembraneFilter(40, RATE_HZ, RATE_HZ, kind)
    n_blocks = -(-len(sound) // bank.hop_in)
    found = np.zeros((40, (n_blocks - 1) * bank.hop_out + bank.window_out))
    for i in range(n_blocks):
        block = sound[i * bank.hop_in : (i + 1) * bank.hop_in].astype(np.float32)
        velocity = bank.velocity(bank.spectrum(block), slice(0, 40))
        found[:, i * bank.hop_out : i * bank.hop_out + bank.window_out] += velocity
    found = found[:, bank.lead_out :][:, : len(sound)]
    expected = exact_velocity(sound, place, kind)
    size = np.sqrt(np.mean(expected**2, axis=1))
    error = np.sqrt(np.mean((found - expected) ** 2, axis=1)) / size
    assert error.max() < 5e-3  # the lowest channels, which ring longest
    assert np.median(error) < 2e-4


def release_probability(velocity):
    """Meddis (1986, 1988), explicit Euler steps from the fixed point of silence."""
    y, g, loss, r, x, a, b, h = 5.05, 2000.0, 2500.0, 6580.0, 66.3, 5.0, 300.0, 50000.0
    dt = 1 / RATE_HZ
    k = g * a / (a + b)
    c = np.full(len(velocity), k * y / (y * (loss + r) + k * loss))
    q, w = c * (loss + r) / k, c * r / x
    probability = np.empty_like(velocity)
    for i, v in enumerate(velocity.T):
        drive = np.maximum(v + a, 0)
        k = g * drive / (drive + b)
        change = y * (1 - q) - k * q + x * w, k * q - (loss + r) * c, r * c - x * w
        q, c, w = q + dt * change[0], c + dt * change[1], w + dt * change[2]
        probability[:, i] = h * dt * c
    return probability


def spikes_fibre_by_fibre(probability, n_runs, rng):
    """40 Bernoulli fibres with 1 ms dead time, a synapse for each, one leaky cell; (run, channel, step)."""
    shape, dt, wait = (n_runs, len(probability)), 1 / RATE_HZ, RATE_HZ // 1000
    free_from, synapse = np.zeros((*shape, 40), int), np.zeros((*shape, 40))
    membrane, resting_until = np.zeros(shape), np.zeros(shape, int)
    spikes = np.zeros((*shape, probability.shape[1]), bool)
    for i, p in enumerate(probability.T):
        excited = (rng.random(synapse.shape) < p[:, None]) & (free_from <= i)
        free_from[excited] = i + wait
        synapse = synapse * np.exp(-dt / 0.5e-3) + 13000 / 40 * dt * excited
        membrane = np.where(resting_until > i, 0, membrane * np.exp(-dt / 1e-3) + synapse.sum(axis=2))
        spikes[..., i] = membrane > 1
        membrane[spikes[..., i]] = 0
        resting_until[spikes[..., i]] = i + wait + 1
    return spikes


def van_rossum(one, other, tau_s=0.01):
    """Distance of every run of one from every run of the other: spikes filtered by a decaying exponential."""
    traces = []
    for spikes in (one, other):
        a_ms = spikes.reshape(*spikes.shape[:2], -1, RATE_HZ // 1000).sum(axis=3)
        trace = signal.lfilter([1], [1, -np.exp(-0.001 / tau_s)], a_ms, axis=2)
        traces.append(trace.reshape(len(spikes), -1))
    return cdist(*traces) / np.sqrt((traces[0] ** 2).sum(axis=1).mean())


def count_correlation(one, other):
    return 1 - cdist(one.sum(axis=2), other.sum(axis=2), "correlation")


def p_of_same_kind(distances, n_first, rng):
    """How often runs shuffled between the two kinds lie as far apart (energy distance)."""

    def apart(order):
        d = distances[np.ix_(order, order)]
        return 2 * d[:n_first, n_first:].mean() - d[:n_first, :n_first].mean() - d[n_first:, n_first:].mean()

    found = apart(np.arange(len(distances)))
    shuffled = [apart(rng.permutation(len(distances))) for _ in range(9999)]
    return (1 + np.sum(shuffled >= found)) / 10_000


def runs_of_the_encoder(encoder_options, sound, n_runs):
    spikes = np.zeros((n_runs, 15, len(sound)), bool)
    for run in range(n_runs):
        encoder = Encoder(15, level=None, ramp_s=0, seed=run, **encoder_options)
        times_us, units = encoder.encode(sound, RATE_HZ, stream=0)
        spikes[run, units, np.rint(times_us / 1e6 * RATE_HZ).astype(int)] = True
    return spikes


@pytest.fixture(scope="module")
def words():
    """A sound with onsets and formants, and what the published equations make of it, 30 times."""
    time = np.arange(RATE_HZ * 3 // 10) / RATE_HZ
    pulses = below_10_khz(np.maximum(0, np.sin(2 * np.pi * 120 * time)) ** 9)
    sound = 1.5 * pulses * np.maximum(0, np.sin(2 * np.pi * 5 * time)) + 0.1 * below_10_khz(noise(len(time)))
    velocity = exact_velocity(sound, places(15), "heidelberg")
    spikes = spikes_fibre_by_fibre(release_probability(velocity), 30, np.random.default_rng(0))
    return sound, spikes


def test_spikes_differ_from_the_published_equations_as_two_runs_of_these_do(words):
    sound, published = words
    ours = runs_of_the_encoder({"membrane": "heidelberg"}, sound, 30)
    per_run = published.sum(axis=(1, 2))
    assert per_run.mean() > 100
    among = np.triu_indices(30, 1)
    for likeness in (count_correlation, van_rossum):
        own = likeness(published, published)[among]
        low, high = np.quantile(own, [0.05, 0.95])
        assert low < likeness(ours, published).mean() < high
    both = np.concatenate([ours, published])
    assert p_of_same_kind(van_rossum(both, both), 30, np.random.default_rng(1)) > 1e-4
    counts = both.sum(axis=2).astype(float)
    assert p_of_same_kind(cdist(counts, counts), 30, np.random.default_rng(2)) > 1e-4
    assert ours.sum() == pytest.approx(published.sum(), rel=0.03)


def test_the_comparison_tells_a_reversed_membrane_and_a_sound_one_fifth_louder(words):
    sound, published = words
    for kind, gain in (("causal", 1.0), ("heidelberg", 1.2)):
        both = np.concatenate([runs_of_the_encoder({"membrane": kind}, gain * sound, 30), published])
        assert p_of_same_kind(van_rossum(both, both), 30, np.random.default_rng(1)) == 1e-4
