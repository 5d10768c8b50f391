"""The report of a judgement: what it says, what it warns of, and that no text of a row becomes markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kshot.measure.judge import Judged, JudgedPair, Pair, Tally, agreement, figures
from kshot.report.judge import (
    JudgeReport,
    headline,
    judge_markdown,
    judge_page,
    judge_tables,
    shown_pairs,
    warnings,
    write_judge_report,
)

NASTY = "<script>alert(1)</script> | *x* \u202e"


def report(**more: Any) -> JudgeReport:
    usual: dict[str, Any] = {
        "names": ("one", "two"), "judge": "http://127.0.0.1:1/v1 m", "places": (30, 26, 8),
        "figures": figures(Tally(20, 5, 4, 3, 1, 2)),
    }  # fmt: skip
    return JudgeReport(**usual | more)


def test_the_headline_names_the_side_or_says_that_nothing_can_be_told() -> None:
    assert headline(report()).startswith("The judge prefers one to two: 20 wins and 4 losses of 33")
    other = report(figures=figures(Tally(4, 5, 20)))
    assert headline(other).startswith("The judge prefers two to one")
    assert headline(report(figures=figures(Tally(5, 5, 4)))).startswith("No difference between one and two")
    assert headline(report(figures=figures(Tally()))) == "No pair was judged."


def test_all_five_counts_always_stand_in_the_table() -> None:
    for tally in (Tally(), Tally(win=3), Tally(1, 2, 3, 4, 5)):
        rows = judge_tables(report(figures=figures(tally)))[0].rows
        assert [(row[0], row[1]) for row in rows] == [
            (name, str(getattr(tally, name))) for name in ("win", "tie", "lose", "split", "unreadable")
        ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"simulated": True}, "The judge is a simulation"),
        ({"answered_by": ("m", "x")}, "m judges answers that it wrote itself"),
        ({"stopped": "budget", "unjudged": 3}, "3 pairs were not judged: budget"),
        ({"failed": 2}, "2 verdicts did not come"),
        ({"figures": figures(Tally(split=9, win=1), places=(19, 1, 0))}, "contradicts itself on 9 of 10"),
        ({"figures": figures(Tally(split=9, win=1), places=(19, 1, 0))}, "drawn to the first place"),
        ({}, "a judge alone proves little"),
        ({"agreement": agreement([JudgedPair("1", "win")], {"x": "a"})}, "are the ids the same"),
        (
            {"agreement": agreement([JudgedPair(str(i), "win" if i % 2 else "lose") for i in range(8)],
                                    {str(i): "a" if i % 3 else "b" for i in range(8)})},
            "only weakly",
        ),
    ],
)  # fmt: skip
def test_what_a_reader_is_warned_of(more: dict[str, Any], said: str) -> None:
    assert any(said in text for text in warnings(report(**more)))


def test_a_fair_judge_beside_people_draws_no_warning() -> None:
    pairs = [JudgedPair(str(i), "win" if i % 2 else "lose") for i in range(20)]
    people = agreement(pairs, {pair.id: "a" if pair.outcome == "win" else "b" for pair in pairs})
    fair = report(figures=figures(Tally(10, 0, 10), places=(20, 20, 0)), agreement=people)
    assert warnings(fair) == ()
    titles = [table.title for table in judge_tables(fair)]
    assert titles == ["Outcomes", "Figures", "Judge and people", "Agreement", "Judge and cost"]


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_texts_of_rows_are_harmless_on_page_and_in_markdown(tmp_path: Path) -> None:
    pair = Pair("1", NASTY, NASTY, "b")
    judged = Judged((JudgedPair("1", "win", ("first", "second"), (NASTY, "y"), ("", "")),))
    made = report(names=(NASTY, "two"), pairs=shown_pairs([pair], judged), criteria=(NASTY,))
    page = judge_page(made)
    assert "script" not in Tags(page).tags
    assert "alert(1)" in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "<script" not in judge_markdown(made)
    paths = write_judge_report(made, tmp_path / "out")
    plain = json.loads(paths.json.read_text(encoding="utf-8"))
    assert (plain["format"], plain["names"][0]) == ("kshot-judge-report", NASTY)
    assert plain["figures"]["tally"]["win"] == 20


def test_shown_pairs_are_a_few_of_each_outcome_and_no_equal_answers() -> None:
    kinds = ["win", "tie", "lose", "split", "unreadable"]
    pairs = [Pair(str(i), f"Q{i}", "a", "b") for i in range(40)]
    said = ("first", None)
    made = [JudgedPair(str(i), kinds[i % 5], said, ("text", ""), ("", "gone")) for i in range(40)]
    judged = Judged((*made, JudgedPair("equal", "tie")))
    found = shown_pairs(pairs, judged, each=2)
    assert [one.outcome for one in found] == [kind for kind in kinds for _ in range(2)]
    assert (found[0].verdicts, found[0].reviews) == (("first", "unreadable"), ("text", "gone"))
