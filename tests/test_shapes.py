"""The shapes and types in the signatures hold in a whole audit, checked by beartype in a process of its own.

Not in every test: many give wrong types on purpose, to see that the package itself refuses them.
"""

import subprocess
import sys

CHECKED = """
import numpy as np
from jaxtyping import install_import_hook

rooms = ["perturb", "variants", "storage", "signals", "tasks", "nn", "training", "recipes", "audit"]
rooms += ["datasets"]
with install_import_hook([f"beyondrate.{room}" for room in rooms], "beartype.beartype"):
    import beyondrate as br
    import beyondrate.signals
    from beyondrate.audit.metrics import count_leak
    from beyondrate.audit.run import audit

trains = br.tasks.temporal_order.generate(150, seed=0)
models = ["probe", "rate", "lif", "lif-delay", "gamma"]
result = audit(trains, models=models, seeds=1, epochs=1, workers=0)
br.signals.level_crossing(np.zeros((1, 2, 1)), 1000.0, 0.4, labels=[0])
print(len(result.rows), "rows")
try:
    count_leak(trains.counts()[0], trains.labels)
except Exception as error:
    print(type(error).__name__)
"""


def test_shapes_and_types_hold_in_a_whole_audit():
    done = subprocess.run([sys.executable, "-c", CHECKED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    rows, caught = done.stdout.split("\n")[:2]
    assert int(rows.split()[0]) > 100
    assert caught == "TypeCheckError"  # the checks are really on
