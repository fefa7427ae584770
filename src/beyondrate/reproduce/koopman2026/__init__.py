"""Koopman, Otte and Bohté, "SpikingGamma" (arXiv 2602.01978)."""
