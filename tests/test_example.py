"""The example of a net of another framework: it is trained, audited, and found to live on coincidences."""

import importlib.util
from pathlib import Path


def test_a_net_of_snntorch_is_audited():
    path = Path(__file__).parent.parent / "examples" / "audit_your_model.py"
    spec = importlib.util.spec_from_file_location("audit_your_model", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    result = example.main(n_train=300, n_test=100, epochs=5)
    assert {row.model for row in result.rows} == {"snnTorch net"}
    assert {row.perturbation for row in result.rows} >= {"none", "replace", "jitter", "reverse"}
    assert result.verdict["clean"].claimed
    assert result.verdict["without-times"].claimed  # counts tell nothing in this task
