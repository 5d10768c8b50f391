"""One RunReport in, plain JSON out, and back again."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.report import RunReport, SystemResult, TaskFacts, headline_of
from kshot.report.plain import from_plain, to_plain

TASK = TaskFacts(name="t", kind="choice", metric="choice", k=5, seed=1, n_test=10)
FOLDS = replace(TASK, evaluation="3 x 5-fold over the labelled rows")


def system(name="zero-shot", value=0.5, **more):
    facts = {"kind": "baseline", "metric": "choice", "interval": (0.2, 0.8), "n": 10, "verdict": "reference"}
    return SystemResult(name=name, value=value, **(facts | more))


def report(**changes):
    facts = {"headline": headline_of(TASK), "miniature": False, "task": TASK, "systems": (system(),)}
    return RunReport(**(facts | changes))


def test_headline_says_what_was_measured():
    assert headline_of(TASK) == "t · 5 shots (seed 1) · 10 test rows · choice"
    one = replace(TASK, k=1, n_test=1)
    assert headline_of(one, miniature=True) == "t · miniature · 1 shot (seed 1) · 1 test row · choice"
    assert "no held-out test file: 3 x 5-fold over the labelled rows (10 rows)" in headline_of(FOLDS)


def test_json_holds_everything_but_the_rows(sample):
    plain = sample.to_json()
    assert set(plain) == {
        "schema",
        "headline",
        "miniature",
        "task",
        "systems",
        "bank",
        "findings",
        "refused",
        "leaves",
        "recommended",
        "because",
        "provenance",
        "knowledge",
        "cocktail",
    }
    assert plain["knowledge"] is None
    assert len(sample.to_json(with_rows=True)["rows"]) == 400
    assert {
        "name",
        "kind",
        "metric",
        "value",
        "interval",
        "n",
        "invalid",
        "difference",
        "p",
        "verdict",
        "seconds",
        "latency",
        "calls",
        "tokens",
        "usd",
        "size_bytes",
    } <= set(plain["systems"][0])


def test_values_are_unrounded(sample):
    third = report(systems=(system(value=1 / 3),))
    assert json.loads(json.dumps(third.to_json()))["systems"][0]["value"] == 1 / 3


def test_json_round_trip_gives_the_same_report(sample):
    through_text = json.loads(json.dumps(sample.to_json(with_rows=True), allow_nan=False))
    assert RunReport.from_json(through_text) == sample
    assert RunReport.from_json(sample.to_json()) == replace(sample, rows=())


@given(st.floats(), st.floats(), st.none() | st.floats(), st.text())
def test_any_figure_survives_the_round_trip_as_json(value, low, p, name):
    first = report(systems=(system(name=name, value=value, interval=(low, 1.0), p=p),))
    plain = json.loads(json.dumps(first.to_json(), allow_nan=False))
    again = RunReport.from_json(plain)
    assert again.to_json() == plain
    if math.isfinite(value):
        assert again.systems[0].value == value
    else:
        assert plain["systems"][0]["value"] is None
        assert math.isnan(again.systems[0].value)


def test_plain_types_only():
    import numpy as np

    facts = {1: np.float32(0.5), "a": np.arange(2), "s": {"b", "a"}, "nan": np.float64("nan"), "none": None}
    assert to_plain(facts) == {"1": 0.5, "a": [0, 1], "s": ["a", "b"], "nan": None, "none": None}
    assert isinstance(to_plain(TASK.__class__), str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema is 2, expected 1"),
        ({"schema": None}, "schema is None"),
        ({"systems": 3}, r"report\.systems: found int, expected a list"),
        ({"systems": [3]}, r"report\.systems\[0\]: found int, expected an object"),
        ({"systems": [{"name": "a"}]}, r"report\.systems\[0\]: field 'kind' is missing"),
        ({"headline": 3}, r"report\.headline: found 3, expected text"),
        ({"miniature": 1}, r"report\.miniature: found 1, expected true or false"),
        ({"task": []}, r"report\.task: found list, expected an object"),
        ({"provenance": []}, r"report\.provenance: found list"),
        ({"findings": [{"topic": "a", "level": "loud", "sentence": ""}]}, "'loud' is none of 'info', "),
    ],
)
def test_from_json_names_the_place_of_an_error(change, message):
    with pytest.raises(DataError, match=message):
        RunReport.from_json(report().to_json() | change)


def test_from_json_checks_numbers_and_pairs():
    for field, value, message in (
        ("n", True, "found True, expected a whole number"),
        ("n", 1.5, "found 1.5, expected a whole number"),
        ("value", "0.5", "found '0.5', expected a number"),
        ("interval", [1], "found 1 entries, expected 2"),
        ("verdict", "best", "'best' is none of"),
    ):
        plain = report().to_json()
        plain["systems"][0][field] = value
        with pytest.raises(DataError, match=message):
            RunReport.from_json(plain)
    with pytest.raises(DataError, match="schema is None"):
        RunReport.from_json([])


def test_whole_numbers_are_read_as_numbers():
    assert from_plain(float, 1, where="x") == 1.0
    assert isinstance(from_plain(float, 1, where="x"), float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"systems": (system(), system())}, "'zero-shot' names 2 systems"),
        ({"recommended": "nobody"}, "recommended 'nobody' is none of the systems"),
        ({"miniature": True}, "lacks the word miniature"),
        ({"task": FOLDS}, "lacks '3 x 5-fold"),
    ],
)
def test_a_report_that_would_mislead_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        report(**change)


def test_systems_are_found_by_name():
    assert report().system("zero-shot") == system()
    assert report().system("nobody") is None
    assert report().system(None) is None


def test_many_single_adapters_are_folded_and_chosen_ones_are_not():
    def with_singles(count, **changes):
        singles = tuple(system(name=f"adapter: {place}", kind="adapter") for place in range(count))
        chosen = system(name="best adapter on the shots", kind="adapter")
        return report(systems=(system(), chosen, *singles), **changes)

    assert with_singles(3).folded == ()
    assert with_singles(3).main_systems == with_singles(3).systems
    many = with_singles(5, recommended="adapter: 2")
    assert [item.name for item in many.folded] == ["adapter: 0", "adapter: 1", "adapter: 3", "adapter: 4"]
    assert [item.name for item in many.main_systems] == [
        "zero-shot",
        "best adapter on the shots",
        "adapter: 2",
    ]


def test_differences_name_their_reference_where_it_ran():
    assert report().against == "against zero-shot"
    assert report(task=replace(TASK, reference="none")).against == "difference"
