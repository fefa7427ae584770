"""Whose the sentences of the figures are, and why no published number stands beside ours."""

from __future__ import annotations

PAPER = "Koopman, Otte, Bohté, arXiv 2602.01978"
OURS = "ours"
NO_NUMBERS = (
    "The paper leaves the numbers of its tasks and some constants open, so nothing of it stands beside ours. "
    "The neuron, its adaptive spikes and learning from the current buckets are the paper's; the tasks' "
    "numbers, the exact memory, graded spikes and the rules gated, full and eligibility are ours."
)
