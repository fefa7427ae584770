"""Yu, Sun and Goodman, "Beyond Rate Coding" (arXiv 2507.16043): its figures, and the controls it lacks."""

from beyondrate.reproduce.yu2025 import best_norm, delay_controls, fig3, fig5, fig6, fig7, task_figures

FIGURES = (
    *task_figures.FIGURES,
    fig3.FIGURE,
    fig5.FIGURE,
    fig6.FIGURE,
    fig7.FIGURE,
    delay_controls.FIGURE,
    best_norm.FIGURE,
)
