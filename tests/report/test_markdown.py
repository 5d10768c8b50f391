"""report.md: tables that hold whatever the data says."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report import Finding, Refused, headline_of
from kshot.report.markdown import escaped, markdown, table


def sections(text):
    return re.findall(r"(?m)^## (.*)$", text)


def test_the_first_line_is_the_headline(sample):
    text = markdown(sample)
    assert (
        text.splitlines()[0]
        == "# mixture-of-three · miniature · 20 shots (seed 0) · 400 test rows · exact match"
    )
    folds = replace(sample.task, evaluation="3 x 5-fold over the labelled rows")
    first = markdown(replace(sample, task=folds, headline=headline_of(folds, miniature=True))).splitlines()[0]
    assert "no held-out test file" in first


def test_every_part_is_there(sample):
    assert sections(markdown(sample)) == [
        "Leaderboard",
        "Bank",
        "Findings",
        "Refused",
        "What left this machine",
        "Provenance",
    ]
    bare = replace(sample, systems=(), bank=(), findings=(), refused=(), provenance={}, recommended=None)
    text = markdown(bare)
    assert "No system could be measured." in text
    assert "Nothing left this machine." in text
    assert "Bank" not in sections(text)
    assert text.count("None.") == 3


def test_the_leaderboard_tells_the_figures(sample):
    line = next(line for line in markdown(sample).splitlines() if line.startswith("| LoRA on the shots"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:9] == [
        "LoRA on the shots",
        "trained",
        "58.0 %",
        "[53.2, 62.8]".replace("[", r"\[").replace("]", r"\]"),
        "+34.7",
        r"\[+30.2, +39.2\]",
        "&lt; 0.001",
        "&lt; 0.001",
        "better",
    ]
    assert "selection score (on the shots, no evidence)" in markdown(sample)


def test_what_left_is_listed(sample):
    text = markdown(replace(sample, leaves=("400 prompts to <b>https://llm</b>",)))
    assert "- 400 prompts to &lt;b&gt;https://llm&lt;/b&gt;" in text
    assert "Nothing left" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\nb\r\n\tc", "a b c"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("![a](b)", r"!\[a\](b)"),
        ("`code` *b* ~s~", r"\`code\` \*b\* \~s\~"),
        ("back\\", r"back\\"),
        ("snake_case", "snake_case"),
        ("_em_", r"\_em\_"),
        ("&lt;", "&amp;lt;"),
        ("", ""),
        ("🧵 שלום", "🧵 שלום"),
    ],
)
def test_texts_are_harmless(text, shown):
    assert escaped(text) == shown


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_table_keeps_its_shape_whatever_stands_in_it(rows):
    lines = table(("a", "b"), rows)
    assert len(lines) == len(rows) + 2
    for line in lines:
        assert len(line.splitlines()) == 1
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
        assert "<" not in line


def test_hostile_findings_stay_in_their_cells(sample):
    nasty = "x | y\n## Not a heading <script>"
    text = markdown(
        replace(sample, findings=(Finding("t", "info", nasty),), refused=(Refused(nasty, nasty),))
    )
    assert "Not a heading" not in " ".join(sections(text))
    assert "<script>" not in text
