"""The section of the page: whole, foldable, offline, and deaf to whatever the data tries."""

import html
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from kshot.report.knowledge import (
    AgreementFacts,
    AgreementRow,
    DataFacts,
    DataPoint,
    ExpertFacts,
    ExpertRow,
    GroupRow,
    OpenKnowledge,
    ParityRow,
    PartRow,
    RouterFacts,
    TokenFacts,
    TrainingFacts,
)
from kshot.report.knowledge.view import knowledge_view
from kshot.report.page import html_page
from kshot.report.wording import Scale
from kshot.report.write import write_report

EVIL = "</script><script>boom()</script><img src=x onerror=boom()>\"'&{{ 7 * 7919 }}\u202e\x00\ud83d\n"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PLOTS = ("plot-experts", "plot-data", "plot-router", "plot-training")


class Page(HTMLParser):
    """Ids, open elements, scripts and attributes."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.open, self.scripts, self.attributes = [], [], 0, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        self.scripts += tag == "script"
        if tag not in ("meta", "link", "input", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def section(text):
    return re.search(r'<section id="knowledge".*?</section>', text, re.S)[0]


@pytest.fixture(scope="module")
def text(sample, knowledge):
    return html_page(replace(sample, knowledge=knowledge))


def evil():
    return OpenKnowledge(
        note=EVIL,
        experts=ExpertFacts(
            experts=(ExpertRow(name=EVIL, accuracy=0.5, perplexity=2.0, left=EVIL), ExpertRow(name="b")),
            rule=EVIL, similarity=EVIL, k=2, notes=(EVIL,), exact=False,
            groups=(GroupRow(members=(EVIL, "b"), more={EVIL: 1.0}),) * 20,
        ),
        data=DataFacts(counts={EVIL: 3, "kept": 1}, encoder=EVIL, selector=EVIL, asked=1, threshold=0.9,
                       points=(DataPoint(0.0, 0.0, "kept", EVIL),)),
        router=RouterFacts(modules=(EVIL,), experts=(EVIL, "b"), load=((0.5, 0.5),), system=EVIL, over=EVIL,
                           warnings=(EVIL,), tokens=TokenFacts(pieces=(EVIL, "b"), gates=((0.5, 0.5),) * 2)),
        agreement=AgreementFacts(
            rows=(AgreementRow(group="mixed", n=1, right=1, share=1.0, interval=None, experts_share=0.5),),
            experts=(EVIL,), mixture=EVIL, best_single=EVIL, parts=(PartRow(name=EVIL, n=1, mixture=1.0),),
        ),
        training=(TrainingFacts(system=EVIL, trained=EVIL, steps=(1,), losses=(1.0,)),),
        parity=(ParityRow(name=EVIL, exact=True),),
    )  # fmt: skip


def test_the_section_is_well_formed_and_its_links_lead_somewhere(text):
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    targets = {value[1:] for _, name, value in page.attributes if name == "href" and value.startswith("#")}
    assert {
        "knowledge",
        "k-experts",
        "k-data",
        "k-router",
        "k-tokens",
        "k-agreement",
        "k-training",
    } <= targets
    assert targets <= set(page.ids)
    terms = {value for _, name, value in page.attributes if name == "data-term"}
    assert {f"def-{term}" for term in terms} <= set(page.ids)
    assert set(PLOTS) <= set(page.ids)


def test_without_open_knowledge_the_page_is_as_before(sample, knowledge):
    plain = html_page(sample)
    assert html_page(replace(sample, knowledge=OpenKnowledge(note="nothing"))) == plain
    for word in ('id="knowledge"', "Open knowledge", "--expa", "def-ranksum"):
        assert word not in plain


def test_every_expert_group_fate_and_part_is_told(text, knowledge):
    found = section(text)
    for row in knowledge.experts.experts:
        assert html.escape(row.name) in found
    assert found.count('class="tag"') == 3 * 56  # members of all groups
    assert "<summary>50 further groups</summary>" in found
    for fate, number in knowledge.data.counts.items():
        assert re.search(rf"{fate}.*?<td class=\"num\">{number:,}</td>", found, re.S)
    for row in knowledge.agreement.rows:
        assert f"{row.right:,} of {row.n:,}" in found
    for part in knowledge.agreement.parts:
        assert part.name in found
    assert "kept and what was lost" in found
    assert knowledge.parity[1].name in found
    assert "approximate" in found


def test_scores_on_the_shots_are_called_selection_scores(text):
    found = section(text)
    assert "it is a selection score" in found
    assert ">selection score</button>" in found
    assert "perplexity (shots)" in found


def test_the_miniature_is_named_in_the_heading(text, sample, knowledge):
    heading = re.search(r'<h2 id="h-knowledge">.*?</h2>', text)[0]
    assert ">miniature</span>" in heading
    real = replace(sample, miniature=False, task=replace(sample.task, base_model="x"), knowledge=knowledge)
    assert "miniature" not in re.search(r'<h2 id="h-knowledge">.*?</h2>', html_page(real))[0]


def test_tokens_are_shown_one_by_one(text, knowledge):
    found = section(text)
    assert len(re.findall(r'<span class="tok( ans)?"', found)) == len(knowledge.router.tokens.pieces)
    assert found.count('<span class="turn">answer</span>') == 1
    assert 'title="' in re.search(r'<span class="tok".*?</span>', found)[0]
    shown = "".join(html.unescape(token) for token in re.findall(r"<bdi>([^<]*)</bdi><i", found))
    assert shown == "".join(knowledge.router.tokens.pieces).replace("\n", "↵")


def test_data_cannot_become_markup(sample):
    text = html_page(replace(sample, rows=(), knowledge=evil()))
    page = Page(text)
    assert page.open == []
    assert page.scripts == 6
    assert "boom()</script>" not in text
    assert not [item for item in page.attributes if item[1].startswith("on")]
    assert not [tag for tag, _, _ in page.attributes if tag == "img"]
    assert "55433" not in text  # no template inside a template
    styles = {value for _, name, value in page.attributes if name == "style"}
    assert not [style for style in styles if "boom" in style or "url" in style]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\ud800-\udfff]", section(text))


@pytest.mark.parametrize("part", ["experts", "data", "router", "agreement", "training", "parity"])
def test_any_part_may_stand_alone(sample, knowledge, part):
    alone = OpenKnowledge(**{part: getattr(knowledge, part)})
    text = html_page(replace(sample, rows=(), knowledge=alone))
    assert Page(text).open == []
    others = {"experts", "data", "router", "agreement", "training", "parity"} - {part}
    assert f'id="k-{part}"' in text
    assert not [other for other in others if f'id="k-{other}"' in text]


def test_facts_without_figures_are_shown_as_dashes(sample):
    nothing = OpenKnowledge(
        experts=ExpertFacts(
            experts=(ExpertRow(name="a", accuracy=math.nan, perplexity=math.inf),), rule="r", k=0
        ),
        data=DataFacts(counts={}, encoder="e", selector="max", asked=0, threshold=1.0),
        router=RouterFacts(modules=("q",), experts=("a",), load=((math.nan,),)),
        agreement=AgreementFacts(
            rows=(AgreementRow(group="mixed", n=0, right=0, share=None, interval=None, experts_share=None),),
            parts=(PartRow(name="p", n=0, mixture=math.nan),),
        ),
        training=(TrainingFacts(system="m", trained="nothing"),),
        parity=(ParityRow(name="x", exact=False),),
    )
    text = html_page(replace(sample, rows=(), knowledge=nothing))
    assert Page(text).open == []
    assert not [place for place in PLOTS if f'id="{place}"' in text]
    assert section(text).count("–") >= 12


def test_a_greedy_search_is_called_approximate(sample, knowledge):
    greedy = replace(
        knowledge.experts, exact=False, groups_considered=64, groups=knowledge.experts.groups[:7]
    )
    found = section(html_page(replace(sample, rows=(), knowledge=OpenKnowledge(experts=greedy))))
    assert "<b>Approximate.</b>" in found
    assert "<summary>1 further group</summary>" in found
    assert "57 more groups were compared and are not listed." in found


def test_collapse_is_a_warning_that_stands_out(sample, knowledge):
    router = replace(knowledge.router, warnings=("brewer takes 97 % in 60 of 64 modules",))
    found = section(html_page(replace(sample, rows=(), knowledge=OpenKnowledge(router=router))))
    assert "<b>Collapse.</b> brewer takes 97 % in 60 of 64 modules" in found


def test_scores_that_are_no_shares_get_an_axis_of_their_own(knowledge):
    parts = (PartRow(name="p", n=3, mixture=12.5, best_single=7.0),)
    view = knowledge_view(
        OpenKnowledge(agreement=replace(knowledge.agreement, parts=parts)), Scale(percent=False)
    )
    assert view["agreement"]["axis"].high > 12.5
    assert view["agreement"]["full"].high == 1.0


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize("kind", ["sample", "evil"])
def test_a_browser_draws_every_plot_and_complains_of_nothing(sample, knowledge, tmp_path, kind):
    shown = replace(sample, rows=(), knowledge=knowledge if kind == "sample" else evil())
    address = write_report(shown, tmp_path).html.as_uri()
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-sync", "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000", "--window-size=1280,12000",
        "--enable-logging=stderr", "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    for place in PLOTS:
        assert re.search(rf'id="{place}"[^>]*data-drawn="yes"', done.stdout)
