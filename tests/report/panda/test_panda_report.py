"""The page, the Markdown and the JSON of a PANDA report: whole, offline, labelled, deaf to what texts try."""

import base64
import hashlib
import json
import re
from dataclasses import fields, is_dataclass, replace

import pytest
from parsed_page import Page

from kshot.errors import DataError, RunError
from kshot.report.panda import (
    PandaReport,
    panda_markdown,
    panda_page,
    report_from_json,
    report_to_json,
    write_panda_report,
)
from kshot.report.panda.plots import panda_figures
from kshot.report.panda.tables import panda_tables

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}\u202e|`*"


def check(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    terms = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in terms} <= set(page.ids)
    links = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert links <= set(page.ids)
    assert not [item for item in page.attributes if item[1] in ("src", "onerror", "action", "srcset")]
    policy = next(value for _, name, value in page.attributes if name == "content" and "default-src" in value)
    bodies = [body for kind, body in page.scripts if kind is None]
    found = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies}
    assert found == set(re.findall(r"'sha256-([^']+)'", policy))
    return page


def poisoned(value):
    """The same with every text replaced; names that have to be known or unique stay."""
    if is_dataclass(value):
        kept = ("group", "question", "name", "reference", "tone", "metric")
        return replace(value, **{f.name: poisoned(getattr(value, f.name)) for f in fields(value)
                                 if f.name not in kept})  # fmt: skip
    if isinstance(value, tuple):
        return tuple(poisoned(one) for one in value)
    if isinstance(value, dict):
        return {EVIL + str(at): poisoned(one) for at, one in enumerate(value.values())}
    return EVIL if isinstance(value, str) else value


def test_every_part_has_its_place(report):
    page = check(panda_page(report))
    assert {"controls", "leaderboard", "ablations", "queries", "pool", "cascade", "guide", "usage", "privacy",
            "provenance", "definitions", "plot-claims", "plot-ablation-0"} <= set(page.ids)  # fmt: skip
    assert "plot-ablation-1" not in page.ids  # two words are no curve


def test_a_bare_report_is_a_whole_page():
    bare = PandaReport(
        task="t", metric="accuracy", n=0, headline="Nothing was measured.", reference="r", systems=()
    )
    page = check(panda_page(bare))
    assert "controls" not in page.ids
    assert "Nothing left this machine." in panda_page(bare)
    assert "Nothing was measured." in panda_markdown(bare)


@pytest.mark.parametrize(
    ("simulated", "miniature"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_the_labels_stand_everywhere_or_nowhere(report, simulated, miniature):
    labelled = replace(report, simulated=simulated, miniature=miniature)
    page, text, title = panda_page(labelled), panda_markdown(labelled), labelled.title
    for word, on in (("simulated model", simulated), ("miniature", miniature)):
        assert (f"<b>{word}</b>" in page) == on
        assert (f'<span class="kind mini">{word}</span>' in page) == on
        assert (word in title) == on
        assert (word in text) == on
        for heading in re.findall(r"(?m)^## .*", text):
            if "do the work" in heading or "All systems" in heading:
                assert (word in heading) == on


def test_texts_do_nothing(report):
    evil = poisoned(report)
    text = panda_page(evil)
    check(text)
    assert "<script>boom()" not in text
    assert str(7 * 7919) not in text
    assert "\u202e" not in text
    marked = panda_markdown(evil)
    assert "<script" not in marked
    assert "<img" not in marked
    rows = [line for line in marked.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) >= 3 for line in rows)


def test_the_figures_are_on_the_page_and_in_markdown(report):
    page, text = panda_page(report), panda_markdown(report).replace("\\", "")
    for figure in ("78.0 %", "[73.0, 83.0]", "+42.0", "[+36.0, +48.0]", "could have shown",
                   "no effect shown", "the opposite", "0.010", "not run: the pool has 300",
                   "1,200", "$0.30", "0.710"):  # fmt: skip
        assert figure in page, figure
        assert figure in text, figure
    assert "left out: below the floor of 0.2" in page
    assert "invalid" in page


def test_every_row_of_every_table_has_all_its_cells(report):
    for table in panda_tables(report):
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title
        for side in (table.tones, table.bars):
            assert len(side) in (0, len(table.rows))


def test_pictures_show_what_the_tables_say(report):
    drawn = panda_figures(report)
    claims = drawn["plot-claims"]["data"][0]
    assert claims["x"] == pytest.approx([-10.0, 21.0, 5.0, 43.0])
    assert claims["marker"]["color"] == ["--worse", "--better", "--unsure", "--better"]
    curve = drawn["plot-ablation-0"]
    assert curve["data"][0]["y"] == pytest.approx([50.0, 70.0, 78.0])
    assert curve["layout"]["xaxis"]["ticktext"] == ["10", "100", "300"]


def test_written_and_read_back(report, tmp_path):
    paths = write_panda_report(report, tmp_path / "new" / "place")
    assert report_from_json(json.loads(paths.json.read_text())) == report
    assert paths.html.read_text() == panda_page(report)
    assert paths.markdown.read_text().startswith("# PANDA on emotion · simulated model")
    assert sorted(path.name for path in paths.html.parent.iterdir()) == [
        "panda.html",
        "panda.json",
        "panda.md",
    ]


def test_what_cannot_be_written_or_read_is_said(report, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        write_panda_report(report, tmp_path / "file")
    with pytest.raises(DataError, match="format is None"):
        report_from_json({})
    with pytest.raises(DataError, match="version 2"):
        report_from_json(report_to_json(report) | {"version": 2})
    with pytest.raises(DataError, match="stands there twice"):
        replace(report, systems=report.systems[:1] * 2)
