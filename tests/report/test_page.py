"""report.html: complete, offline, and deaf to whatever the data tries."""

import base64
import hashlib
import html
import math
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from parsed_page import Page

from kshot.report import Finding, Refused, headline_of
from kshot.report.page import SCRIPTS, TEMPLATES, html_page
from kshot.report.write import write_report

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def text(sample):
    return html_page(sample)


@pytest.fixture(scope="module")
def evil(sample):
    def bad(thing, **more):
        return replace(thing, name=EVIL + thing.name, **more)

    task = bad(
        sample.task,
        instruction=EVIL,
        labels=(EVIL,),
        label_counts={EVIL: 3},
        base_model=EVIL,
        embedder=EVIL,
        metric=EVIL,
        kind=EVIL,
        reference=EVIL + "zero-shot",
    )
    return replace(
        sample,
        task=task,
        headline=headline_of(task, miniature=True),
        because=EVIL,
        leaves=(EVIL,),
        systems=tuple(bad(system, note=EVIL, kind=EVIL) for system in sample.systems),
        rows=sample.rows[:6],
        bank=tuple(
            bad(row, targets=(EVIL,), licence=EVIL, base=EVIL, findings=(EVIL,), verdict=EVIL)
            for row in sample.bank
        ),
        findings=(Finding(EVIL, "error", EVIL, EVIL),),
        refused=(Refused(EVIL, EVIL),),
        provenance={EVIL: {EVIL: [EVIL]}},
        recommended=EVIL + "LoRA on the shots",
    )


def test_the_page_is_well_formed_and_its_links_lead_somewhere(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    targets = {value[1:] for tag, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert targets <= set(page.ids)
    terms = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in terms} <= set(page.ids)
    assert len(terms) >= 10


def test_nothing_is_fetched(text):
    page = Page(text)
    assert not [item for item in page.attributes if item[1] in ("src", "action", "data", "srcset")]
    assert {value for tag, name, value in page.attributes if tag == "link" and name == "href"} == {"data:,"}
    ours = "".join((TEMPLATES / name).read_text("utf-8") for name in (*SCRIPTS, "style.css"))
    assert not re.search(r"https?:|fetch\(|XMLHttpRequest|@import|url\(", ours)
    assert text.count("plotly.js v") == 1


def test_the_policy_allows_exactly_the_scripts_of_this_page(text):
    page = Page(text)
    policy = next(
        value for tag, name, value in page.attributes if name == "content" and "default-src" in value
    )
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = [body for kind, body in page.scripts if kind is None]
    found = {base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in scripts}
    assert found == allowed
    assert len(found) == 4
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_plotly_may_not_send_figures_to_its_server():
    script = (TEMPLATES / "plots.js").read_text("utf-8")
    assert "showSendToCloud: false" in script
    assert 'modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]]' in script


def test_the_miniature_is_named_in_title_headline_and_ribbon(text, sample):
    assert "miniature" in re.search("<title>(.*?)</title>", text)[1]
    assert "miniature" in re.search("<h1[^>]*>(.*?)</h1>", text)[1]
    assert 'class="ribbon"' in text
    real = replace(sample.task, base_model="x")
    assert 'class="ribbon"' not in html_page(replace(sample, task=real, miniature=False))


def test_every_system_adapter_finding_and_refusal_is_told(text, sample):
    for name in (item.name for group in (sample.systems, sample.bank, sample.refused) for item in group):
        assert html.escape(name) in text
    for finding in sample.findings:
        assert html.escape(finding.sentence) in text
    assert text.count("</span>usable, with findings<") == 2
    assert text.count("</span>turned away<") == 2
    assert text.count('<span class="sub">worse</span>') == 17
    assert text.count("near copy of trade-01-miller (cosine 0.9997)") >= 2
    assert "Nothing left this machine." in text
    assert "9f2c51d0a7e81b44" in text
    assert "selection score 45.0 % on the shots, no evidence" in text


def test_data_cannot_become_markup(evil):
    text = html_page(evil)
    page = Page(text)
    assert page.open == []
    assert "boom()</script>" not in text
    assert len(page.scripts) == 6
    assert not [item for item in page.attributes if item[1].startswith("on")]
    assert not [tag for tag, _, _ in page.attributes if tag == "img"]
    assert "55433" not in text  # no template inside a template


@pytest.mark.parametrize(
    "changes",
    [
        {"systems": (), "recommended": None, "rows": ()},
        {"rows": ()},
        {"bank": ()},
        {"findings": (), "refused": (), "provenance": {}},
        {"recommended": "zero-shot"},
        {"recommended": None, "because": ""},
        {"leaves": ("everything",)},
    ],
)
def test_any_part_may_be_missing(sample, changes):
    assert Page(html_page(replace(sample, **changes))).open == []


def test_figures_that_are_no_numbers_are_shown_as_dashes(sample):
    nan = math.nan
    broken = replace(
        sample.systems[0], value=nan, interval=(nan, nan), difference=nan, p_holm=nan, seconds=nan
    )
    bank = (
        replace(sample.bank[0], right=nan, perplexity=math.inf, answer_loss=nan, alpha=nan, test_value=nan),
    )
    text = html_page(replace(sample, systems=(broken, *sample.systems[1:]), bank=bank))
    row = re.search(r'<tr role="row" class="is-chosen.*?</tr>', text, re.S)[0]
    assert row.count("–") >= 4
    assert Page(text).open == []


def test_folds_are_announced(sample):
    task = replace(sample.task, evaluation="3 x 5-fold over the labelled rows")
    text = html_page(replace(sample, task=task, headline=headline_of(task, miniature=True)))
    assert "No held-out test file." in text
    assert "no held-out test file: 3 x 5-fold" in re.search("<h1[^>]*>(.*?)</h1>", text)[1]


def test_single_adapters_are_folded_but_told(sample):
    singles = tuple(replace(sample.systems[1], name=f"adapter: {place}") for place in range(24))
    text = html_page(replace(sample, systems=(*sample.systems, *singles)))
    assert len(re.findall(r'class="[^"]*foldable', text)) == 24
    assert "The 24 single adapters are left out here" in text
    assert not re.search(r'<tr role="row"[^>]*foldable', html_page(sample))


def test_a_run_without_reference_compares_nothing(sample):
    alone = replace(sample.systems[0], difference=None, difference_interval=None, p=None, p_holm=None)
    task = replace(sample.task, reference="none")
    text = html_page(replace(sample, task=task, systems=(alone,), recommended=None, because="nothing ran."))
    assert "There is nothing to compare with" in text
    assert "against none" not in text


def dom_of(address, profile):
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=3000",
        "--enable-logging=stderr",
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_the_browser_of_examples_counts_what_the_report_counts(sample, tmp_path):
    address = write_report(sample, tmp_path).html.as_uri()
    a, b = "LoRA on the shots", "zero-shot"
    counts = {
        "wins": sum(row.scores[a] > row.scores[b] for row in sample.rows),
        "losses": sum(row.scores[a] < row.scores[b] for row in sample.rows),
        "wrong": sum(row.scores[a] == row.scores[b] == 0 for row in sample.rows),
        "invalid": sum(None in (row.predictions[a], row.predictions[b]) for row in sample.rows),
    }
    for show, wanted in counts.items():
        query = f"#examples?a={a.replace(' ', '%20')}&b={b}&show={show}"
        dom, complaints = dom_of(address + query, tmp_path / show)
        assert complaints == []
        assert f">{wanted} of 400 rows: " in dom
        assert 'data-drawn="yes"' in dom


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_hostile_data_runs_nowhere(evil, tmp_path):
    address = write_report(evil, tmp_path).html.as_uri()
    dom, complaints = dom_of(address + "#examples?show=all&q=script", tmp_path / "profile")
    assert complaints == []
    assert " of 6 rows: all rows" in dom
