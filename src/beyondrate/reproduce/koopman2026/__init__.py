"""Koopman, Otte and Bohté, "SpikingGamma" (arXiv 2602.01978), on tasks whose ceilings are known."""

from beyondrate.reproduce.koopman2026 import ablation, coding, delay, dt_invariance, echo, online, sparsity

FIGURES = (
    coding.FIGURE,
    dt_invariance.FIGURE,
    delay.FIGURE,
    sparsity.FIGURE,
    echo.FIGURE,
    online.FIGURE,
    ablation.FIGURE,
)
