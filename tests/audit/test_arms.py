"""What an audit trains: every comparison has both of its sides."""

from typing import Any

import numpy as np
import pytest

from beyondrate.audit.arms import build_arm
from beyondrate.audit.collect import unequal_counts_warnings
from beyondrate.audit.plan import Job, Plan, make_plan
from beyondrate.events import SpikeTrains


def plan_of(*models: str, **options: Any) -> Plan:
    return make_plan("digest", {}, models=models, seeds=1, **options)


def arms(plan: Plan, variant: str) -> set[tuple[str, str]]:
    return {(job.model, job.control) for job in plan.jobs() if job.variant == variant}


@pytest.mark.parametrize("preset", ["quick", "standard"])
@pytest.mark.parametrize("models", [("probe", "lif"), ("gamma",), ("lif-delay",), ("probe", "lif", "gamma")])
def test_each_net_on_whole_has_nets_on_counts_beside_it(preset: str, models: tuple[str, ...]):
    plan = plan_of(*models, preset=preset)
    on_whole = arms(plan, "whole") - {("probe", "none"), ("rate", "none")}
    nets = {model for model, control in on_whole if control != "scrambled"}
    assert {model for model, control in on_whole if control == "scrambled"} == nets
    assert (("rate", "none") in arms(plan, "whole")) == bool(nets)
    for variant in ("part", "norm"):
        assert not {control for _, control in arms(plan, variant)} & {"scrambled"}
        assert ("rate", "none") not in arms(plan, variant)


def test_what_is_asked_for_is_trained_everywhere_and_nothing_twice():
    plan = plan_of("probe", "rate", "lif", "lif-delay", "gamma", preset="standard")
    for variant in ("whole", "part", "norm"):
        assert ("rate", "none") in arms(plan, variant)
    jobs = plan.jobs()
    assert len(jobs) == len(set(jobs))
    assert arms(plan_of("probe"), "whole") == {("probe", "none")}


def test_a_net_on_scrambled_spikes_is_the_net_that_it_controls():
    samples = [([100 * k, 5000], [0, 1]) for k in range(20)]
    trains = SpikeTrains.from_samples(samples, labels=[0, 1] * 10, n_units=2, duration_us=1_000_000)
    plan = plan_of("lif-delay", "gamma", preset="standard")
    for model, control in (("lif-delay", "frozen"), ("gamma", "none")):
        ours, theirs = (build_arm(Job("whole", model, c), plan, trains, 0.1) for c in ("scrambled", control))
        weights, same = ours.network.state_dict(), theirs.network.state_dict()
        assert weights.keys() == same.keys()
        assert all(np.array_equal(weights[name], same[name]) for name in weights)
        assert ours.settings == theirs.settings


def test_a_norm_whose_counts_differ_is_warned_of():
    equal = [([1, 2, 3], [0, 1, 1]), ([4, 5, 6], [1, 0, 1])]
    norm = SpikeTrains.from_samples(equal, labels=[0, 1], n_units=2, duration_us=10)
    assert unequal_counts_warnings(norm) == []
    unequal = SpikeTrains.from_samples(
        [*equal, ([7, 8], [0, 1])], labels=[0, 1, 0], n_units=2, duration_us=10
    )
    (warning,) = unequal_counts_warnings(unequal)
    assert warning.startswith("1 of 2 units do not spike equally often") and "do not use" in warning
