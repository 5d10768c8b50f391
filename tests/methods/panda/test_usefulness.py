"""What each insight does to answers, against hand counts."""

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.panda.answer import Reader
from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.prompts import fields, open_prompts
from kshot.methods.panda.records import Counters, Insight
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.methods.panda.seams import Chosen, Retrieved, Setting
from kshot.methods.panda.usefulness import measure_usefulness, with_counters
from kshot.models.base import Reply
from kshot.models.embed import HashingEncoder
from kshot.models.fake import ScriptedModel

PROMPTS = open_prompts(Template(instruction="Mood?", kind="classification", labels=("bad", "good")))
GOOD, BAD, IDLE, OTHER = (Insight(i, f"key {i}", f"note {i}") for i in range(4))
BY_ROW = {"r0": (GOOD, IDLE), "r1": (BAD,), "r2": (), "r3": (GOOD, BAD)}
ROWS = [Example(name, "good") for name in BY_ROW]


def retrieve(row):
    return Retrieved(tuple(Chosen(insight, 0.5) for insight in BY_ROW[row.prompt]))


READER = Reader(PROMPTS, retrieve, setting=Setting(render="insight"))


def say(conversation):
    """Bad where the bad note stands; else good where the good note stands; else bad on r0, good on others."""
    notes = [text for name, text in fields(conversation[-1].content) if name == "Note"]
    text = dict(fields(conversation[-1].content))["Text"]
    if "note 1" in notes:
        return "bad"
    return "good" if "note 0" in notes or text != "r0" else "bad"


def test_counts_by_hand():
    model = ScriptedModel(say)
    found = measure_usefulness(model, ROWS, READER, gold=["good"] * 4)
    assert found.counters == {
        GOOD.id: Counters(shown=2, helped=1, hurt=0),  # r0: turned right; r3: bad with or without it
        IDLE.id: Counters(shown=1, helped=0, hurt=0),
        BAD.id: Counters(shown=2, helped=0, hurt=2),
    }
    assert (found.rows_used, found.rows_left, found.questions, found.failed) == (3, 1, 8, 0)
    assert len(model.conversations) == 8


@pytest.mark.parametrize(
    ("most", "used", "asked"), [(0, 0, 0), (2, 0, 0), (3, 1, 3), (5, 2, 5), (7, 2, 5), (8, 3, 8)]
)
def test_the_bound_is_never_passed(most, used, asked):
    model = ScriptedModel(say)
    found = measure_usefulness(model, ROWS, READER, gold=["good"] * 4, most_questions=most)
    assert (found.rows_used, found.questions, len(model.conversations)) == (used, asked, asked)
    assert found.rows_used + found.rows_left == 4


def test_a_failed_request_counts_for_nobody():
    def fail(conversation):
        notes = [text for name, text in fields(conversation[-1].content) if name == "Note"]
        return Reply("", finish_reason="error", error="x") if notes == ["note 2"] else say(conversation)

    found = measure_usefulness(ScriptedModel(fail), ROWS[:1], READER, gold=["good"])
    assert found.counters == {IDLE.id: Counters(1, 0, 0)}  # r0 without GOOD failed
    assert found.failed == 1


def test_an_insight_of_the_rows_own_text_is_refused_before_a_call():
    own = Reader(PROMPTS, lambda row: Retrieved((Chosen(Insight(0, row.prompt, "leak"), 1.0),)))
    model = ScriptedModel([])
    with pytest.raises(InputError, match="leave_one_out=True"):
        measure_usefulness(model, ROWS, own, gold=["good"] * 4)
    assert model.conversations == []


@pytest.mark.parametrize(
    ("reader", "gold", "metric", "says"),
    [
        (Reader(PROMPTS), ["good"] * 4, "exact_match", "has no retriever"),
        (READER, ["good"], "exact_match", "1 right answers for 4 rows"),
        (READER, ["good"] * 4, "macro_f1", "is no mean of rows"),
    ],
)
def test_what_makes_no_sense_is_refused(reader, gold, metric, says):
    with pytest.raises(InputError, match=says):
        measure_usefulness(ScriptedModel([]), ROWS, reader, gold=gold, metric=metric)


def test_counters_are_added_to_those_of_the_pool():
    pool = with_counters([GOOD, OTHER], {GOOD.id: Counters(3, 2, 1)})
    again = with_counters(pool, {GOOD.id: Counters(1, 0, 1)})
    assert [insight.counters for insight in again] == [Counters(4, 2, 2), Counters()]
    assert [insight.id for insight in again] == [GOOD.id, OTHER.id]


def test_with_a_real_retriever_that_leaves_the_row_out():
    pool = InsightPool(
        [Insight(i, row.prompt, f"note {i}") for i, row in enumerate(ROWS)], PoolHeader("mood")
    )
    encoder = HashingEncoder(dim=64)
    left_out = Reader(PROMPTS, Retriever(pool, encoder, Retrieval(k=2, leave_one_out=True)))
    found = measure_usefulness(ScriptedModel(say), ROWS, left_out, gold=["good"] * 4)
    assert (found.rows_used, found.questions) == (4, 12)
    whole = Reader(PROMPTS, Retriever(pool, encoder, Retrieval(k=2)))
    with pytest.raises(InputError, match="leave_one_out"):
        measure_usefulness(ScriptedModel(say), ROWS, whole, gold=["good"] * 4)


def test_no_rows():
    assert measure_usefulness(ScriptedModel([]), [], READER, gold=[]).counters == {}
