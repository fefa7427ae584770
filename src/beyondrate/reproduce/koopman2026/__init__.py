"""Koopman, Otte and Bohté, "SpikingGamma" (arXiv 2602.01978), on tasks whose ceilings are known."""

from beyondrate.reproduce.koopman2026 import (
    ablation,
    coding,
    delay,
    dt_invariance,
    dvs_gesture,
    echo,
    online,
    sparsity,
    speech_figure,
    speech_sparsity,
)

FIGURES = (
    coding.FIGURE,
    dt_invariance.FIGURE,
    delay.FIGURE,
    sparsity.FIGURE,
    echo.FIGURE,
    online.FIGURE,
    ablation.FIGURE,
    speech_figure.SHD,
    speech_figure.SSC,
    speech_sparsity.FIGURE,
    dvs_gesture.FIGURE,
)
