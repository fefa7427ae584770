"""The numbers that Yu, Sun and Goodman print, with where they stand and how they were obtained."""

from __future__ import annotations

from beyondrate.reproduce.figure import Published

PAPER = "Yu, Sun, Goodman, arXiv 2507.16043"
V1 = f"{PAPER} v1"
V3 = f"{PAPER} v3 (with Akarca; Neuromorph. Comput. Eng. 2026)"
OURS = "ours"

ISI_CLEAN = Published("ISI task, nothing replaced", 0.95, f"{V1}, Fig. 1c", "trained clean; about, read off")
ISI_REPLACED = Published("ISI task, every spike replaced", 0.75, f"{V1}, Fig. 1c", "trained clean; about")
COINCIDENCE_CLEAN = Published("coincidence task, λ = 0", 1.0, f"{V1}, Fig. 2c", "near 100 %")
COINCIDENCE_MIXED = Published("coincidence task, λ = 1", 0.33, f"{V1}, Fig. 2c", "chance")

_NETS = "2 × 128 units, Spikemax, data split by index 60/15/15, norm of all samples pooled"
NORM_ACCURACY = {
    "shd": {
        "none": Published("SHD-norm, no delays", 0.2332, f"{V1}, Fig. 5", _NETS),
        "learned": Published("SHD-norm, learned axonal delays", 0.4786, f"{V1}, Fig. 5", _NETS),
    },
    "ssc": {
        "none": Published("SSC-norm, no delays", 0.1469, f"{V1}, Fig. 5", _NETS),
        "learned": Published("SSC-norm, learned axonal delays", 0.3260, f"{V1}, Fig. 5", _NETS),
    },
}
NORM_SIZES = {
    "shd": (5460, 224, 100),
    "ssc": (40390, 285, 100),
}  # samples, units, bins of the published files
