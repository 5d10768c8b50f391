"""What the terminal shows."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from kshot.report import closing_lines, leaderboard_table
from kshot.report.terminal import printable


def shown(report, columns, **options):
    console = Console(width=columns, file=io.StringIO(), color_system=None)
    console.print(leaderboard_table(report, **options))
    return console.file.getvalue()


def test_the_wide_table_tells_everything(sample):
    text = shown(sample, 140)
    assert "mixture-of-three · miniature · 20 shots (seed 0) · 400 test rows · exact match" in text
    line = next(line for line in text.splitlines() if "LoRA on the shots" in line)
    assert line.split() == [
        "LoRA",
        "on",
        "the",
        "shots",
        "58.0",
        "[53.2,",
        "62.8]",
        "+34.7",
        "<",
        "0.001",
        "1",
        "min",
        "36",
        "s",
        "better",
    ]
    for header in ("system", "score", "95 % interval", "against zero-shot", "p (Holm)", "cost", "verdict"):
        assert header in text


@pytest.mark.parametrize("width", [36, 44, 60, 72, 96, 200])
def test_narrow_terminals_keep_system_score_and_verdict(sample, width):
    text = shown(sample, width, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert ("p (Holm)" in text) == (width >= 96)
    assert ("95 % interval" in text) == (width >= 72)
    for system in sample.systems:
        assert f"{100 * system.value:.1f}" in text
    assert "better" in text


def test_names_have_no_effect_on_the_terminal(sample):
    bad = replace(sample.systems[0], name="[red]x[/red]\x1b[31m\nnext\u202e")
    text = shown(replace(sample, systems=(bad,), recommended=None), 140)
    assert "[red]x[/red] [31m next" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert printable("a\ud800b") == "a b"


def test_no_system_gives_an_empty_table(sample):
    assert "system" in shown(replace(sample, systems=(), recommended=None), 100)


def test_the_last_lines_recommend_and_say_where_all_lies(sample):
    lines = closing_lines(sample, report_path="runs/r/report.html", specialist="runs/r/specialist")
    assert lines[0].startswith("recommended: LoRA on the shots, because the whole interval")
    assert lines[1] == "nothing left this machine"
    assert lines[-2:] == ["report: runs/r/report.html", "specialist: runs/r/specialist"]
    assert "refused: 3, each with its reason in the report" in lines
    assert [line.split(":")[0] for line in lines[2:4]] == ["warning", "error"]


def test_the_last_lines_do_not_recommend_what_is_not_shown(sample):
    quiet = {"findings": (), "refused": ()}
    none = closing_lines(replace(sample, recommended=None, because="", **quiet), report_path="r")
    assert none == ["nothing is shown to beat zero-shot", "nothing left this machine", "report: r"]
    loud = replace(
        sample, findings=sample.findings[:1] * 5, leaves=("a", "b"), recommended="shots in the prompt"
    )
    lines = closing_lines(loud, report_path="r")
    assert lines[0].startswith(
        "recommended, though not shown to be better than zero-shot: shots in the prompt"
    )
    assert lines[1] == "left this machine: a; b"
    assert "... and 2 more findings in the report" in lines


def test_single_adapters_are_counted_not_listed(sample):
    singles = tuple(replace(sample.systems[1], name=f"adapter: {place}") for place in range(24))
    text = shown(replace(sample, systems=(*sample.systems, *singles)), 140)
    assert "adapter: " not in text
    assert "and 24 single adapters: see the report" in text
    assert "best adapter on the shots" in text
