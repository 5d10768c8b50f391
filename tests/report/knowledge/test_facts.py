"""Facts keep what they are given, through JSON and back, and refuse what does not fit."""

import json
import math
from dataclasses import replace

import pytest

from kshot.errors import DataError
from kshot.report import RunReport
from kshot.report.knowledge import (
    DataFacts,
    DataPoint,
    ExpertFacts,
    ExpertRow,
    OpenKnowledge,
    RouterFacts,
    TokenFacts,
    TrainingFacts,
)


def test_json_round_trip_gives_the_same_facts(knowledge):
    plain = json.loads(json.dumps(knowledge.to_json(), allow_nan=False))
    assert OpenKnowledge.from_json(plain) == knowledge


def test_a_report_carries_them_through_json(make_report, knowledge):
    report = make_report(rows=2, knowledge=knowledge)
    plain = json.loads(json.dumps(report.to_json(with_rows=True), allow_nan=False))
    assert RunReport.from_json(plain) == report
    assert plain["knowledge"]["experts"]["k"] == 20
    del plain["knowledge"]  # a report written before there were any
    assert RunReport.from_json(plain).knowledge is None


def test_shares_that_a_module_lacks_survive_as_nan():
    facts = RouterFacts(modules=("q",), experts=("a", "b"), load=((1.0, math.nan),))
    plain = OpenKnowledge(router=facts).to_json()
    assert plain["router"]["load"] == [[1.0, None]]
    again = OpenKnowledge.from_json(plain).router
    assert again.load[0][0] == 1.0
    assert math.isnan(again.load[0][1])


def test_facts_are_empty_until_a_part_is_there(knowledge):
    assert OpenKnowledge().empty
    assert OpenKnowledge(note="the first of 15 folds").empty
    for part in ("experts", "data", "router", "agreement", "training", "parity"):
        assert not OpenKnowledge(**{part: getattr(knowledge, part)}).empty


def test_the_state_of_an_expert():
    assert ExpertRow(name="a", chosen=True, in_pool=True).state == "chosen"
    assert ExpertRow(name="a", in_pool=True).state == "in the pool"
    assert ExpertRow(name="a").state == "left"


def router(**changes):
    facts = {"modules": ("q", "v"), "experts": ("a", "b"), "load": ((0.5, 0.5), (0.5, 0.5))}
    return RouterFacts(**(facts | changes))


DATA = {"encoder": "e", "selector": "max", "asked": 5, "threshold": 0.9}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: router(load=((0.5, 0.5),)),
            r"router\.load: found 1 rows of \[2\] figures, expected 2 rows of 2",
        ),
        (lambda: router(load=((0.5, 0.5), (1.0,))), r"router\.load: found 2 rows of \[1, 2\] figures"),
        (lambda: router(chosen=((1.0,), (1.0,))), r"router\.chosen: .* expected 2 rows of 2"),
        (lambda: router(experts=("a", "a")), r"router\.experts: 'a' stands there more than once"),
        (lambda: router(modules=("q", "q")), r"router\.modules: 'q'"),
        (lambda: router(tokens=TokenFacts(pieces=("x",), gates=())), r"router\.tokens\.gates: found 0 rows"),
        (
            lambda: ExpertFacts(experts=(ExpertRow(name="a"),) * 2, rule="paper", k=5),
            "experts: 'a' stands there more than once",
        ),
        (lambda: DataFacts(counts={"kept": -1}, **DATA), "'kept' counts -1 rows"),
        (
            lambda: DataFacts(counts={}, points=(DataPoint(0.0, 0.0, "lost"),), **DATA),
            "fate 'lost', expected one of",
        ),
        (lambda: TrainingFacts(system="m", trained="r", steps=(1,)), "'m': 0 losses for 1 steps"),
        (
            lambda: TrainingFacts(system="m", trained="r", held_losses=(1.0,)),
            "1 held_losses for 0 held_steps",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_json_errors_name_the_place(knowledge):
    plain = knowledge.to_json()
    plain["experts"]["experts"][3]["rank_sum"] = "4"
    with pytest.raises(DataError, match=r"knowledge\.experts\.experts\[3\]\.rank_sum: found '4'"):
        OpenKnowledge.from_json(plain)


def test_facts_are_values(knowledge):
    assert replace(knowledge, note="") == knowledge
