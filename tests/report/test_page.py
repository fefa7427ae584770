"""The page: complete, self-contained, safe against what users' files hold."""

import copy
import itertools
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser

import pytest
from example import full, minimal

from beyondrate.errors import InputError
from beyondrate.report import write_report
from beyondrate.report.palette import DARK, LIGHT

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'<b>{{ 7*7 }}"


class Page(HTMLParser):
    """Elements, links, identifiers, running text and the figures' data of a page."""

    def __init__(self, source: str):
        super().__init__()
        self.tags, self.loads, self.links, self.ids, self.handlers = Counter(), [], [], [], []
        self.words, self.styles, self.figures = [], [], {}
        self._inside = None
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        attributes = dict(attributes)
        self._inside = (tag, attributes.get("id"))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.loads += [attributes[name] for name in ("src", "srcset", "data", "poster") if name in attributes]
        self.loads += [attributes["href"]] if tag == "link" else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.handlers += [name for name in attributes if name.startswith("on")]

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == ("script", "figures"):
            self.figures = json.loads(data, parse_constant=pytest.fail)["figures"]
        elif self._inside and self._inside[0] == "style":
            self.styles.append(data)
        elif not self._inside or self._inside[0] != "script":
            self.words.append(data)


def written(results, folder) -> str:
    path = folder / "report.html"
    write_report(results, path)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> str:
    return written(full(), tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def page(source) -> Page:
    return Page(source)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Page:
    return Page(written(minimal(), tmp_path_factory.mktemp("minimal")))


def strings(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def test_page_loads_nothing(page, small):
    for one in (page, small):
        assert one.loads == []
        assert one.links
        assert all(link.startswith("#") for link in one.links)
        assert not re.search(r"url\(|@import", "".join(one.styles))
    assert page.tags["script"] == 3  # data, plotly, ours


def test_every_link_leads_somewhere(page, small):
    for one in (page, small):
        assert {link[1:] for link in one.links} <= set(one.ids)
        assert len(one.ids) == len(set(one.ids))


def test_verdict_is_told_in_words_with_estimates_and_whether_claimed(page):
    verdict = full()["verdict"]
    assert verdict["headline"] in page.text
    for finding in verdict["findings"]:
        assert finding["title"] in page.text
        assert finding["sentence"] in page.text
    for words in (
        "58 %",
        "53 to 63 %",
        "+16 points",
        "+11 to +21 points",
        "22 ms",
        "17 to 29 ms",
        "−5 to +7 points",
    ):
        assert words in page.text
    assert page.text.count("● claimed") == 8
    assert page.text.count("○ not claimed") == 1
    for warning in verdict["warnings"]:
        assert warning in page.text


def test_sections_come_in_the_order_in_which_they_are_read(source):
    order = ["verdict", "terms", "models", "accuracy", "delays", "disturbed", "perturbations", "resolution"]
    order += [
        "decoding-curve",
        "which",
        "kinds",
        "spikes",
        "rasters",
        "leaking",
        "counts",
        "leak",
        "protocol",
    ]
    places = [source.index(f'id="{name}"') for name in order]
    assert places == sorted(places)


def test_protocol_holds_what_is_needed_to_run_it_again(page):
    results = full()
    assert results["command"] in page.text
    assert results["protocol"]["split"] in page.text
    for word in [*results["hashes"].values(), "torch 2.13.0", "0, 1, 2", "10 ms", "3 min 51 s", "108,692"]:
        assert word in page.text
    assert page.text.count("Dropped: too few spikes") == 4  # part and norm, each training and test samples


def test_sections_without_data_are_left_out(small):
    assert set(small.figures) == {"accuracy", "perturbations"}
    assert not {"delays", "decoding-curve", "kinds", "rasters", "counts", "leak", "which"} & set(small.ids)
    assert "rate baseline" not in small.text
    assert "my net" in small.text


def test_results_with_only_a_verdict_still_make_a_page(tmp_path):
    results = {
        "kind": "audit",
        "title": "x",
        "verdict": {"headline": "Nothing.", "findings": [], "warnings": []},
    }
    page = Page(written(results, tmp_path))
    assert "Nothing." in page.text
    assert page.figures == {}


def hostile() -> dict:
    """Put hostile text wherever a user's file or name can reach the page."""
    results = full()
    results["title"] = results["command"] = HOSTILE
    results["data"]["label_names"] = [HOSTILE] * 20
    results["verdict"]["headline"] = HOSTILE
    results["verdict"]["warnings"] = [HOSTILE]
    results["verdict"]["findings"][0] |= {"title": HOSTILE, "sentence": HOSTILE}
    results["protocol"]["split"] = HOSTILE
    results["hashes"] = {HOSTILE: HOSTILE}
    for entry in [*results["summary"], *results["rows"]]:
        if entry["model"] == "lif":
            entry["model"] = HOSTILE
    rasters = results["figures"]["rasters"]
    rasters["label"] = rasters["panels"][0]["title"] = HOSTILE
    for counts in results["figures"]["counts"].values():
        counts["classes"] = [HOSTILE, *counts["classes"][1:]]
    for name in ("part", "norm"):
        results["variants"][name]["report"]["per_class"][0]["class"] = HOSTILE
    return results


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Page:
    return Page(written(hostile(), tmp_path_factory.mktemp("hostile")))


def test_hostile_names_inject_neither_markup_nor_script(page, attacked):
    assert HOSTILE in attacked.text  # shown letter by letter
    assert attacked.tags["img"] == attacked.tags["b"] - page.tags["b"] == 0
    assert attacked.tags["script"] == page.tags["script"]
    assert attacked.handlers == []


def test_hostile_names_reach_no_figure_as_markup(attacked):
    texts = list(strings(attacked.figures))
    assert any("&lt;/script&gt;" in text for text in texts)
    assert not [text for text in texts if re.search(r"<\s*(/?script|img|a\b)", text, re.I)]


def test_same_results_give_the_same_page_and_stay_as_they_were(source, tmp_path):
    results = full()
    before = copy.deepcopy(results)
    assert written(results, tmp_path) == source
    assert results == before


def test_missing_numbers_are_left_out_of_text_and_figures(tmp_path):
    results = full()
    missing = itertools.cycle([math.nan, None, math.inf])
    for finding in results["verdict"]["findings"]:
        finding["estimate"], finding["low"] = next(missing), next(missing)
    for entry in results["summary"][::3]:
        entry["low"], entry["high"] = next(missing), next(missing)
    for entry in results["summary"][1:4]:
        entry["accuracy"] = next(missing)
    for kind in results["kinds"]:
        kind["p"] = next(missing)
    for run in results["figures"]["training"]:
        run["spikes_per_unit"] = run["validation_accuracy"] = next(missing)
    results["figures"]["counts"]["whole"]["unit_leak"][:3] = [next(missing) for _ in range(3)]
    results["seconds"] = math.nan
    page = Page(written(results, tmp_path))  # its data are strict JSON, or the parser fails
    assert len(page.figures) == 8
    assert not re.search(r"\b(nan|inf|None)\b", page.text)


def test_precision_beyond_the_levels_tested_is_told_so(tmp_path):
    results = minimal()
    precision = next(f for f in full()["verdict"]["findings"] if f["key"] == "precision")
    results["verdict"]["findings"] = [precision | {"estimate": None, "low": 0.0, "high": None}]
    text = Page(written(results, tmp_path)).text
    assert "> 100 ms < 5 to > 100 ms" in text


def test_rasters_of_full_samples_keep_the_page_small(tmp_path):
    results = minimal()
    panel = {
        "perturbation": "none",
        "level": 0.0,
        "title": "as recorded",
        "times_ms": [1199.99 * k / 6000 for k in range(6000)],
        "units": [(37 * k) % 700 for k in range(6000)],
    }
    rasters = {"label": "one", "n_units": 700, "duration_ms": 1200.0, "panels": [panel] * 6}
    results["figures"] = {"rasters": rasters}
    assert len(written(results, tmp_path)) < 6_500_000


def test_only_audits_have_a_report_and_nothing_is_written_otherwise(tmp_path):
    with pytest.raises(InputError, match="'bench' have no report"):
        write_report({"kind": "bench"}, tmp_path / "report.html")
    with pytest.raises(KeyError):
        write_report({"kind": "audit", "summary": [{}]}, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_report_imports_its_libraries_only_when_it_draws():
    seen = "import sys, beyondrate.report; print([m for m in ('plotly', 'matplotlib') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", seen], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_and_lines_can_be_read_in_both_themes(theme):
    for name in ("ink", "muted", "link"):
        assert contrast(theme[name], theme["paper"]) > 4.5
        assert contrast(theme[name], theme["panel"]) > 4.5
    for name in ("rate", "probe", "lif", "delay", "own", "other"):
        assert contrast(theme[name], theme["paper"]) > 3.0


def test_every_colour_of_the_figures_has_one_namesake_in_the_dark(page):
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert DARK.keys() == LIGHT.keys()

    def colours(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                yield from colours(item, name)
        elif isinstance(value, list):
            for item in value:
                yield from colours(item, key)
        elif isinstance(value, str) and key.lower().endswith("color"):
            yield value

    used = set(colours(page.figures))
    assert len(used) > 5
    assert used <= set(LIGHT.values())
