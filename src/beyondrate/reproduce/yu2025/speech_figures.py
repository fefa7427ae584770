"""What the speech figures share: which networks they compare, their names, and the order of their jobs."""

from __future__ import annotations

from beyondrate.audit.plan import VARIANTS
from beyondrate.reproduce.experiment import Plan
from beyondrate.reproduce.yu2025.speech import SpeechJob, tuning_jobs

# (model, control) of every network that Figures 5 to 7 compare; the first three are the paper's.
COMPARED = (
    ("rate", "none"),
    ("spikemax", "none"),
    ("spikemax", "learned"),
    ("lif", "none"),
    ("lif", "tau-tuned"),
    ("lif", "frozen"),
    ("lif", "learned"),
)
NAMES = {
    ("rate", "none"): "MLP on counts",
    ("spikemax", "none"): "LIF, Spikemax (the paper's)",
    ("spikemax", "learned"): "LIF, Spikemax + learned delays (the paper's)",
    ("lif", "none"): "LIF",
    ("lif", "tau-tuned"): "LIF, τ tuned",
    ("lif", "frozen"): "LIF + frozen delays",
    ("lif", "learned"): "LIF + learned delays",
}


def compared_stages(plan: Plan) -> list[list[SpeechJob]]:
    """Return the jobs of every compared network on whole, part and norm, after those that choose τ."""
    jobs = [
        SpeechJob(variant, model, control, seed)
        for seed in plan["seeds"]
        for variant in VARIANTS
        for model, control in COMPARED
    ]
    return [tuning_jobs(plan, ["lif"]), jobs]
