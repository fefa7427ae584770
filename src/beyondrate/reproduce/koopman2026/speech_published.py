"""What others reach on speech, with how: the numbers that stand beside ours."""

from __future__ import annotations

from beyondrate.reproduce.figure import Published

_RECURRENT = "recurrent; epoch chosen as the authors say"
WHOLE = {
    "shd": (
        Published("SHD, S-TLLR, trained online", 0.7824, "S-TLLR", "three-factor rule, published test part"),
        Published("SHD, EventProp", 0.935, "EventProp", "leave one speaker out, ± 0.7"),
        Published("SHD, DCLS delays", 0.9377, "cited in later work", "80/20 validation split, ± 0.68"),
        Published("SHD, DCLS delays", 0.9507, "SNN-delays", "epoch chosen on the test samples"),
        Published("SHD, SE-adLIF", 0.9581, "cited in later work", _RECURRENT),
        Published("SHD, SpikCommander", 0.9641, "cited in later work", "attention"),
    ),
    "ssc": (
        Published("SSC, DCLS delays", 0.8069, "cited in later work", "published parts"),
        Published("SSC, DelRec", 0.8258, "cited in later work", "published parts"),
        Published("SSC, SpikCommander", 0.8598, "cited in later work", "published parts"),
    ),
}
