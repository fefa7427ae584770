"""SpikingGamma in the audit: asked for by name, it reads timing where counts tell nothing."""

from planted import from_order

import beyondrate as br


def test_gamma_reads_order_that_counts_do_not_tell(tmp_path):
    result = br.audit(
        from_order(400, 0),
        models=["rate", "gamma"],
        variants=["norm"],
        seeds=1,
        epochs=6,
        workers=0,
        out=tmp_path,
    )
    clean = {line["model"]: line for line in result.summary if line["perturbation"] == "none"}
    assert clean["gamma"]["low"] > clean["gamma"]["chance"] >= clean["rate"]["low"]
    assert (tmp_path / "checkpoints" / "norm_gamma_none_0.safetensors").is_file()
