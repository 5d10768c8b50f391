"""Figures in words, and the conclusion that they carry."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.conclusion import chip, conclusion
from kshot.report.definitions import METRICS, definitions
from kshot.report.wording import (
    Scale,
    count,
    duration,
    flat,
    money,
    nats,
    p_value,
    scale_of,
    size,
)

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "score", "signed"),
    [
        (0.613, "61.3 %", "+61.3"),
        (0.0, "0.0 %", "0.0"),
        (1.0, "100.0 %", "+100.0"),
        (-0.127, "−12.7 %", "−12.7"),
        (0.0001, "0.0 %", "0.0"),
        (-0.0001, "0.0 %", "0.0"),
        (None, "–", "–"),
        (NAN, "–", "–"),
        (INF, "∞ %", "∞"),
    ],
)
def test_shares_are_shown_as_percent(value, score, signed):
    assert Scale().score(value) == score
    assert Scale().signed(value) == signed


def test_other_metrics_are_shown_as_they_are():
    scale = Scale(percent=False)
    assert [scale.score(value) for value in (1234.5678, -0.5, 0.0, 1e-9)] == ["1,235", "−0.5", "0", "1e−09"]
    assert scale.interval((-1.0, 2.0), signed=True) == "[−1, +2]"
    assert scale.points == "units"
    assert Scale().interval(None) == Scale().interval((NAN, 1.0)) == "–"


def test_the_scale_is_percent_only_within_zero_and_one(sample):
    assert scale_of(sample).percent
    bigger = replace(sample.systems[0], value=12.0)
    assert not scale_of(replace(sample, systems=(bigger, *sample.systems[1:]))).percent
    unknown = replace(sample.systems[0], value=NAN)
    assert scale_of(replace(sample, systems=(unknown, *sample.systems[1:]))).percent
    assert scale_of(replace(sample, systems=(), recommended=None)).percent


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_has_words(value):
    for show in (Scale().score, Scale(percent=False).signed, duration, nats, money, size, p_value):
        assert show(abs(value))


def test_durations():
    shown = [
        duration(x)
        for x in (0, 0.0004, 0.0012, 0.9996, 4.64, 9.96, 59.4, 59.6, 61, 3599.6, 86_400, None, NAN)
    ]
    assert shown == [
        "0 s",
        "< 1 ms",
        "1 ms",
        "1 s",
        "4.6 s",
        "10 s",
        "59 s",
        "1 min",
        "1 min 1 s",
        "1 h",
        "24 h",
        "–",
        "–",
    ]


def test_sizes_money_counts_and_losses():
    assert [size(x) for x in (0, 999, 999.6, 1_240_000, 5e15, None)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1.2 MB",
        "5000 TB",
        "–",
    ]
    assert [money(x) for x in (0.0, 0.00123, 0.09, 0.1, 1234.5, None)] == [
        "$0",
        "$0.0012",
        "$0.090",
        "$0.10",
        "$1,234.50",
        "–",
    ]
    assert [count(x) for x in (0, 12_400, None)] == ["0", "12,400", "–"]
    assert [nats(x) for x in (0.0, 1.2345, 99.9, 1234.0, 1e9, INF, NAN, None)] == [
        "0",
        "1.23",
        "99.9",
        "1,234",
        "1.00e+09",
        "∞",
        "–",
        "–",
    ]
    assert [p_value(x) for x in (0.0, 0.00099, 0.001, 0.0496, 0.9996, NAN)] == [
        "< 0.001",
        "< 0.001",
        "0.001",
        "0.050",
        "1",
        "–",
    ]


def test_nested_facts_become_dotted_lines():
    facts = {"a": {"b": {"c": 1}, "d": [1, 2]}, "e": None, "f": "text", "g": {}}
    assert list(flat(facts)) == [("a.b.c", "1"), ("a.d", "1, 2"), ("e", "–"), ("f", "text")]


def test_the_conclusion_never_says_more_than_the_verdict(sample):
    def said(recommended, verdict):
        systems = tuple(
            replace(system, verdict=verdict) if system.name == recommended else system
            for system in sample.systems
        )
        return conclusion(replace(sample, systems=systems, recommended=recommended))

    assert said("LoRA on the shots", "better").kicker == "Recommended"
    for verdict in ("tied", "too few rows to tell", "worse"):
        end = said("LoRA on the shots", verdict)
        assert end.tone == "unsure"
        assert end.kicker == "Recommended, though not shown to be better than zero-shot"
    assert said("zero-shot", "reference").kicker == "Recommended: nothing is shown to beat zero-shot"
    assert said(None, "").title == "Nothing is shown to beat zero-shot"
    assert conclusion(replace(sample, systems=(), recommended=None)).title == "No system could be measured"


def test_every_verdict_has_its_chip(sample):
    assert [chip(system) for system in sample.systems] == [
        "better",
        "better",
        "unsure",
        "unsure",
        "reference",
        "tied",
        "worse",
        "oracle",
    ]
    assert chip(replace(sample.systems[0], verdict="something new")) == "other"


def test_definitions_fit_the_task(sample):
    words = definitions(sample.task)
    assert words["metric"] == ("exact match", METRICS["exact_match"])
    assert "400" in words["n"][1]
    assert "2 points" in words["margin"][1]
    folds = definitions(replace(sample.task, evaluation="3 x 5-fold over the labelled rows"))
    assert "No test file was given" in folds["n"][1]
    assert (
        definitions(replace(sample.task, metric="mine.py:f"))["metric"][1] == "The metric named by the task."
    )
