"""The rows behind the browser of examples."""

import json
import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kshot.report.browse import rows_json, script_json
from kshot.report.result import RowResult


def test_rows_keep_their_order_and_every_systems_reply(sample):
    data = json.loads(rows_json(sample))
    names = [system["name"] for system in data["systems"]]
    assert names == [system.name for system in sample.systems]
    assert data["cut"] is None
    for row, (row_id, prompt, answer, source, replies, scores) in zip(sample.rows, data["rows"], strict=True):
        assert (row_id, prompt, answer, source) == (row.id, row.prompt, row.answer, row.source)
        assert dict(zip(names, replies, strict=True)) == row.predictions
        assert dict(zip(names, scores, strict=True)) == row.scores


def test_recommended_stands_against_the_reference(sample):
    def pair(**changes):
        data = json.loads(rows_json(replace(sample, **changes)))
        return data["systems"][data["a"]]["name"], data["systems"][data["b"]]["name"]

    assert pair() == ("LoRA on the shots", "zero-shot")
    assert pair(recommended="zero-shot") == ("LoRA on the shots", "zero-shot")
    assert pair(recommended=None) == ("LoRA on the shots", "zero-shot")
    assert pair(recommended=None, systems=sample.systems[4:5]) == ("zero-shot", "zero-shot")
    assert pair(task=replace(sample.task, reference="gone")) == (
        "best adapter on the shots",
        "LoRA on the shots",
    )


def test_a_system_that_did_not_answer_differs_from_an_unread_answer(sample):
    row = RowResult("1", "p", "a", None, {"zero-shot": None}, {"zero-shot": 0.0, "majority": math.nan})
    data = json.loads(rows_json(replace(sample, rows=(row,))))
    places = {system["name"]: place for place, system in enumerate(data["systems"])}
    *_, replies, scores = data["rows"][0]
    assert (replies[places["zero-shot"]], scores[places["zero-shot"]]) == (None, 0.0)
    assert (replies[places["LoRA on the shots"]], scores[places["LoRA on the shots"]]) == (None, None)
    assert scores[places["majority"]] is None


def test_long_texts_are_cut_only_over_budget(sample):
    long = replace(sample.rows[0], prompt="x" * 50_000)
    report = replace(sample, rows=(long, *sample.rows[1:3]))
    assert json.loads(rows_json(report))["cut"] is None
    data = json.loads(rows_json(report, budget=30_000))
    assert data["cut"] == 20_000
    assert data["rows"][0][1] == "x" * 20_000
    assert json.loads(rows_json(report, budget=1))["cut"] == 200


@given(st.recursive(st.text() | st.floats() | st.none(), st.lists))
def test_script_json_is_ascii_without_markup(value):
    text = script_json(value)
    assert text.isascii()
    assert not set("<>&") & set(text)
    json.loads(text)


@given(st.text())
def test_script_json_gives_texts_back(text):
    assert json.loads(script_json(text)) == text
