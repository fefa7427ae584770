"""How a unit's spikes tell its value, at any time step, and the buckets as smoothed delays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from beyondrate.jobs import Tell, read_json, read_result
from beyondrate.ops.gamma import Mode, bucket_scale, gamma_powers, time_constants, transition
from beyondrate.ops.sigma_delta import SigmaDeltaParams, estimate, quanta, sigma_delta
from beyondrate.reproduce.experiment import Experiment, Figure, Plan, Request
from beyondrate.reproduce.figure import Claim, Holds, Panel, Reproduction, Series
from beyondrate.reproduce.koopman2026.published import NO_NUMBERS, OURS, PAPER

N_BUCKETS, MEMORY_S = 8, 0.005
CODES: Mapping[str, SigmaDeltaParams] = {
    "sum": SigmaDeltaParams(),
    "first": SigmaDeltaParams(code="first"),
    "sum, one spike a step": SigmaDeltaParams(n_max=1),
}
DTS_MS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
HIGHEST_HZ = (1.0, 2.0, 5.0, 10.0)  # of the signals
BASE_HZ = 2.0  # of the curves over dt
SHOWN_DT_MS, SHOWN_S = 1.0, 1.5
N_SIGNALS = {"quick": 16, "paper": 64}
DURATION_S = 4.0
NEARLY = 0.05  # relative difference that counts as none


@dataclass(frozen=True)
class CodingJob:
    """Signals coded in one way at one time step.

    Args:
        code: of CODES.
        dt_ms: the time step.
        highest_hz: the signals' highest frequency.
    """

    code: str
    dt_ms: float
    highest_hz: float = BASE_HZ

    @property
    def key(self) -> str:
        """The job's name, also of the file that keeps its result."""
        return f"{self.code.replace(', ', '-').replace(' ', '-')}_{self.dt_ms:g}ms_{self.highest_hz:g}Hz"


def make_plan(request: Request) -> Plan:
    """Return everything that decides the experiment's results."""
    return {
        "preset": request.preset,
        "signals": N_SIGNALS[request.preset],
        "seed": 0 if request.seeds is None else request.seeds[0],
        "codes": {name: repr(params) for name, params in CODES.items()},
        "memory_s": MEMORY_S,
    }


def prepare(folder: Path, plan: Plan, request: Request) -> None:
    """Prepare nothing: every job draws its own signals."""


def signals(
    n: int, highest_hz: float, dt_s: float, duration_s: float, seed: int
) -> Float64[np.ndarray, "signals steps"]:
    """Return smooth signals of rms 1 with 8 frequencies up to ``highest_hz``: the same ones at every dt.

    Example:
        >>> coarse, fine = (signals(3, 2.0, dt, 1.0, 0) for dt in (0.01, 0.001))
        >>> bool(np.allclose(coarse, fine[:, ::10]))
        True
    """
    rng = np.random.default_rng([seed, round(1000 * highest_hz)])
    hz = highest_hz * (1 + np.arange(8)) / 8
    phase = rng.uniform(0, 2 * np.pi, (n, 8))
    t = dt_s * np.arange(round(duration_s / dt_s))
    return np.cos(2 * np.pi * hz[:, None] * t + phase[:, :, None]).sum(1) / 2


def coded(
    x: Float64[np.ndarray, "signals steps"], params: SigmaDeltaParams, dt_s: float
) -> tuple[Float64[np.ndarray, "signals steps"], Float64[np.ndarray, "signals steps"]]:
    """Return the estimates of max(x, 0), and the quanta of the spikes that make them."""
    chain = _chain(dt_s)
    values = torch.from_numpy(x)[:, :, None]
    spikes, _ = sigma_delta(values, chain, params)
    return estimate(spikes, chain, params)[:, :, 0].numpy(), quanta(spikes, chain, params)[:, :, 0].numpy()


def run_job(folder: Path, values: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Code the signals, and return the error and the number of quanta and spikes."""
    job, plan = CodingJob(**values), read_json(folder / "plan.json")
    dt_s = job.dt_ms / 1000
    x = signals(plan["signals"], job.highest_hz, dt_s, DURATION_S, plan["seed"])
    said, sent = coded(x, CODES[job.code], dt_s)
    return {
        "rmse": float(np.sqrt(np.mean((said - np.maximum(x, 0)) ** 2))),
        "quanta_per_s": float(sent.sum(1).mean() / DURATION_S),
        "spikes_per_s": float((sent > 0).sum(1).mean() / DURATION_S),
    }


def responses(dt_s: float, n_steps: int, mode: Mode = "exact") -> Float64[Tensor, "steps bucket"]:
    """Return what a spike of height 1 leaves in each bucket, scaled to equal areas, from the spike on."""
    tau = time_constants(N_BUCKETS, MEMORY_S)
    powers = gamma_powers(_chain(dt_s, mode), n_steps - 1)[:, :, 0]
    first = torch.eye(N_BUCKETS, dtype=torch.float64)[:1]
    return torch.cat([first, powers]) * bucket_scale(tau) / tau.sum()


def cascade_error(dt_s: float, mode: Mode) -> float:
    """Return the largest error of the buckets against the continuous chain, relative to each one's peak.

    The continuous chain is the closed form Σ_j c_kj exp(-t/τ_j), by the eigenvectors of its generator.
    """
    tau = time_constants(N_BUCKETS, MEMORY_S).numpy()
    n_steps = max(2, round(0.3 / dt_s))
    rates = np.diag(-1 / tau) + np.diag(1 / tau[:-1], -1)
    roots, vectors = np.linalg.eig(rates)
    start = np.linalg.solve(vectors, np.eye(N_BUCKETS)[:, 0])
    t = dt_s * np.arange(n_steps)
    continuous = (np.exp(t[:, None] * roots) * start) @ vectors.T
    scale = (bucket_scale(torch.from_numpy(tau)) / tau.sum()).numpy()
    ours = responses(dt_s, n_steps, mode).numpy() / scale
    return float((np.abs(ours - continuous).max(0) / np.abs(continuous).max(0)).max())


def _chain(dt_s: float, mode: Mode = "exact") -> Float64[Tensor, "bucket bucket"]:
    return transition(time_constants(N_BUCKETS, MEMORY_S), dt_s, mode)


def stages(plan: Plan) -> list[list[CodingJob]]:
    """Return every code at every dt, and at other frequencies."""
    over_dt = [CodingJob(code, dt) for code in CODES for dt in DTS_MS]
    over_hz = [CodingJob(code, SHOWN_DT_MS, hz) for code in CODES for hz in HIGHEST_HZ if hz != BASE_HZ]
    return [[*over_dt, *over_hz]]


def draw(folder: Path, plan: Plan) -> Reproduction:
    """Read what was measured and make the figure."""
    found = {job: read_result(folder, job) for job in stages(plan)[0]}

    def curve(what: str, title: str, y_label: str, codes: Sequence[str]) -> Panel:
        return Panel(
            title=title,
            kind="lines",
            x_label="time step (ms)",
            y_label=y_label,
            series=[
                Series(code, list(DTS_MS), [found[CodingJob(code, dt)][what] for dt in DTS_MS])
                for code in codes
            ],
            logarithmic=True,
        )

    over_hz = Panel(
        title="faster signals",
        kind="lines",
        x_label="highest frequency (Hz)",
        y_label="rms error",
        series=[
            Series(
                code,
                list(HIGHEST_HZ),
                [found[CodingJob(code, SHOWN_DT_MS, hz)]["rmse"] for hz in HIGHEST_HZ],
            )
            for code in CODES
        ],
    )
    return Reproduction(
        figure="koopman2026/coding",
        title="A value, its spikes, and what they say of it",
        panels=[
            *_example(plan["seed"]),
            curve("rmse", "error of the estimate", "rms error", list(CODES)),
            curve(
                "quanta_per_s", "spikes, a graded one counted as its quanta", "quanta a second", list(CODES)
            ),
            over_hz,
            _buckets(),
        ],
        claims=_claims(found),
        rows=[
            {"code": job.code, "dt_ms": job.dt_ms, "highest_hz": job.highest_hz, **result}
            for job, result in found.items()
        ],
        notes=[
            f"{plan['signals']} signals of rms 1 with frequencies up to {BASE_HZ:g} Hz where none is named; "
            "a unit codes their positive part.",
            NO_NUMBERS,
        ],
    )


def _example(seed: int) -> list[Panel]:
    """Return one signal with its estimates, and the spikes that make them."""
    x = signals(1, BASE_HZ, SHOWN_DT_MS / 1000, SHOWN_S, seed)
    ms = SHOWN_DT_MS * np.arange(x.shape[1])
    lines, spikes = [Series("value max(x, 0)", ms.tolist(), np.maximum(x[0], 0).tolist())], []
    for unit, code in enumerate(("sum", "first")):
        said, sent = coded(x, CODES[code], SHOWN_DT_MS / 1000)
        lines.append(Series(f"estimate, {code}", ms.tolist(), said[0].tolist()))
        at = ms[sent[0] > 0].tolist()
        spikes.append(Series(code, at, [float(unit)] * len(at)))
    return [
        Panel("a signal and its estimates", "lines", x_label="time (ms)", y_label="value", series=lines),
        Panel(
            "the spikes, by code",
            "raster",
            x_label="time (ms)",
            series=spikes,
            groups=("sum", "first"),
            extent=(0.0, 1000 * SHOWN_S, 0.0, 2.0),
        ),
    ]


def _buckets() -> Panel:
    dt_s, n_steps = 0.0005, 400
    response = responses(dt_s, n_steps)
    response = response / response.amax(0)
    ms = (1000 * dt_s * np.arange(n_steps)).tolist()
    return Panel(
        title="buckets as smoothed delays of a spike",
        kind="lines",
        x_label="time since the spike (ms)",
        y_label="bucket, of its peak",
        series=[Series(f"bucket {k + 1}", ms, response[:, k].tolist()) for k in range(N_BUCKETS)],
    )


def _claims(found: Mapping[CodingJob, Mapping[str, float]]) -> list[Claim]:
    def over_dt(code: str, what: str) -> np.ndarray:
        return np.array([found[CodingJob(code, dt)][what] for dt in DTS_MS])

    error, spent = over_dt("sum", "rmse"), over_dt("sum", "quanta_per_s")
    binary = over_dt("sum, one spike a step", "rmse")
    first = over_dt("first", "quanta_per_s")
    exact = max(cascade_error(dt / 1000, "exact") for dt in DTS_MS)
    one_step = [cascade_error(dt / 1000, "cascade") for dt in (DTS_MS[0], DTS_MS[-1])]
    fast = [found[CodingJob("sum", SHOWN_DT_MS, hz)]["rmse"] for hz in (BASE_HZ, HIGHEST_HZ[-1])]
    return [
        _claim(
            "A unit's value is coded by adaptive sigma-delta spikes into the buckets that its targets read.",
            PAPER,
            bool(error.max() < 0.25),
            f"rms error at most {error.max():.3f} of signals of rms 1",
        ),
        _claim(
            "Error and spikes of `sum` are the same at every time step, within 5 %.",
            OURS,
            bool(np.ptp(error) <= NEARLY * error.mean() and np.ptp(spent) <= NEARLY * spent.mean()),
            f"error {error.min():.3f} to {error.max():.3f}, {spent.min():.1f} to {spent.max():.1f} spikes/s",
        ),
        _claim(
            "With one spike a step the error does depend on it.",
            OURS,
            bool(np.ptp(binary) > NEARLY * binary.mean()),
            f"{binary[0]:.3f} at {DTS_MS[0]:g} ms, {binary[-1]:.3f} at {DTS_MS[-1]:g} ms",
        ),
        _claim(
            "`first` spends ten times the spikes of `sum` or more.",
            OURS,
            bool((first >= 10 * spent).all()),
            f"{first.min():.0f} to {first.max():.0f} against {spent.mean():.0f} spikes/s",
        ),
        _claim(
            "The price of `sum`: it does not follow a value that falls fast.",
            OURS,
            fast[1] > 2 * fast[0],
            f"error {fast[0]:.3f} up to {BASE_HZ:g} Hz, {fast[1]:.3f} up to {HIGHEST_HZ[-1]:g} Hz",
        ),
        _claim(
            "The buckets are the continuous chain's at any time step; those of the one-step cascade are not.",
            OURS,
            exact < 1e-9 and one_step[0] > 0.5,
            f"largest relative error {exact:.0e} against {one_step[0]:.2g} at {DTS_MS[0]:g} ms and "
            f"{one_step[1]:.2g} at {DTS_MS[-1]:g} ms",
        ),
    ]


def _claim(sentence: str, source: str, condition: bool, found: str) -> Claim:
    holds: Holds = "holds" if condition else "does not hold"
    return Claim(sentence, source, holds, found)


EXPERIMENT = Experiment(
    name="coding",
    work="beyondrate.reproduce.koopman2026.coding:run_job",
    plan=make_plan,
    prepare=prepare,
    takes_data=False,
)
FIGURE = Figure(
    name="koopman2026/coding",
    shows="a value, its spikes and its estimate, at any time step; buckets as smoothed delays",
    experiment=EXPERIMENT,
    stages=stages,
    draw=draw,
)
