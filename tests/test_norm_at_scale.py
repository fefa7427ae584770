"""The benchmark of norm at SSC's size, at a small one."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from beyondrate import storage, variants


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parent.parent / "benchmarks" / "norm_at_scale.py"
    spec = importlib.util.spec_from_file_location("norm_at_scale", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_small_file_of_ssc_s_format(benchmark: ModuleType, tmp_path: Path) -> None:
    result = benchmark.measure(benchmark.Corpus(n_samples=500, n_classes=5, n_speakers=3), tmp_path)
    whole = storage.load(tmp_path / "whole.h5")
    assert (len(whole), whole.n_units, whole.n_classes) == (500, 700, 5)
    assert 8_000 < whole.n_spikes / 500 < 12_000
    assert whole.meta["time_grid"].startswith("float16")
    expected = variants.norm(whole)
    assert result["both_the_same"]
    found = storage.load(tmp_path / "norm.h5")
    assert found.digest == expected.digest
    assert result["norm"] == {
        "samples": len(expected),
        "units": expected.n_units,
        "spikes": expected.n_spikes,
    }
    assert 100 < expected.n_units < 700 and 100 < len(expected) < 500
    assert all(0 < run["peak_rss_gb"] < 2 for run in result["runs"].values())
    assert variants.certificate(found, variants.part(whole)).holds


def test_what_is_kept_holds(benchmark: ModuleType) -> None:
    kept = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    for name, corpus in benchmark.CORPORA.items():
        found = kept[name]
        assert found["whole"]["samples"] == corpus.n_samples
        assert found["whole"]["spikes"] > 9_500 * corpus.n_samples
        assert found["both_the_same"]
        assert all(run["peak_rss_gb"] < 2 for run in found["runs"].values())
