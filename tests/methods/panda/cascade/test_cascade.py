"""The cascade asks the expert exactly where the draws disagree."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError, ModelError
from kshot.methods.panda.answer import Reader
from kshot.methods.panda.cascade import cascade, draw_answers, majority, probability_of, with_expert
from kshot.methods.panda.prompts import fields, open_prompts
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Chosen, Retrieved, Setting
from kshot.models.base import Reply

LABELS = ("bad", "good")
READER = Reader(open_prompts(Template(instruction="Mood?", kind="classification", labels=LABELS)))


class Draws:
    """Says for each text what its list has for the draw's number."""

    id = "draws"

    def __init__(self, said):
        self.said, self.asked = said, []

    def ask(self, questions):
        for position, question in enumerate(questions):
            text = dict(fields(question.conversation[-1].content))["Text"]
            self.asked.append((text, question.decoding, question.step))
            reply = self.said[text][question.decoding.sample]
            yield position, reply if isinstance(reply, Reply) else Reply(reply, 3, 1, calls=1, usd=0.5)

    def generate(self, conversations, **how):
        raise NotImplementedError


def rows_of(said):
    return [Example(text, "good", source="hidden") for text in said]


def say_bad(rows):
    assert all(row.answer == "" and row.source is None for row in rows)
    return ["bad"] * len(rows)


SAID = {
    "sure": ["good", "Good.", "1"],
    "unsure": ["good", "good", "bad"],
    "lost": ["hm", "what", ""],
    "one invalid": ["good", "good", "dunno"],
    "failed": [Reply("", finish_reason="error", error="x")] * 3,
}


def test_the_expert_is_asked_exactly_on_disagreement():
    model = Draws(SAID)
    found = cascade(model, rows_of(SAID), READER, expert=say_bad)
    assert found.asked == (False, True, True, True, True)
    assert found.answers == ("good", "bad", "bad", "bad", "bad")
    assert found.expert == (None, "bad", "bad", "bad", "bad")
    assert found.drawn.answers == ("good", "good", None, "good", None)
    assert found.agreement == (1.0, 2 / 3, 0.0, 2 / 3, 0.0)
    assert found.share_asked == 0.8
    assert (found.calls, found.tokens, found.usd) == (12, 48, 6.0)
    assert {step for *_, step in model.asked} == {"cascade"}
    decodings = [(how.temperature, how.sample) for _, how, _ in model.asked]
    assert decodings == [(0.7, sample) for _ in SAID for sample in range(3)]


@given(st.lists(st.lists(st.sampled_from(["good", "bad", "?"]), min_size=3, max_size=3), max_size=6))
def test_asked_is_disagreement_whatever_is_drawn(draws):
    said = {f"text {i}": each for i, each in enumerate(draws)}
    calls = []
    found = cascade(
        Draws(said), rows_of(said), READER, expert=lambda rows: (calls.append(rows), ["bad"] * len(rows))[1]
    )
    unanimous = [len(set(each)) == 1 and each[0] != "?" for each in draws]
    assert found.asked == tuple(not agreed for agreed in unanimous)
    assert found.answers == tuple(
        e[0] if agreed else "bad" for e, agreed in zip(draws, unanimous, strict=True)
    )
    assert [row.prompt for rows in calls for row in rows] == [
        text for text, agreed in zip(said, unanimous, strict=True) if not agreed
    ]
    assert len(calls) == (0 if all(unanimous) else 1)


@pytest.mark.parametrize(
    ("threshold", "asked"), [(0.0, 0), (0.5, 2), (2 / 3, 2), (0.7, 4), (1.0, 4), (2.0, 5)]
)
def test_another_threshold_asks_others_without_a_call(threshold, asked):
    drawn = draw_answers(Draws(SAID), rows_of(SAID), READER)
    found = with_expert(drawn, rows_of(SAID), say_bad, threshold=threshold)
    assert sum(found.asked) == asked


def test_an_expert_without_an_answer_leaves_none():
    found = cascade(Draws(SAID), rows_of(SAID), READER, expert=lambda rows: [None] * len(rows))
    assert found.answers == ("good", None, None, None, None)
    assert found.asked == (False, True, True, True, True)


def test_insights_are_looked_up_once_a_row():
    looked = Counter()

    def retrieve(row):
        looked[row.prompt] += 1
        return Retrieved((Chosen(Insight(0, "k", f"note {row.prompt}"), 1.0),))

    found = cascade(Draws(SAID), rows_of(SAID), Reader(READER.prompts, retrieve), expert=say_bad)
    assert set(looked.values()) == {1}
    assert found.drawn.retrieved[1].chosen[0].insight.insight == "note unsure"


def logged(*tokens, text=""):
    return Reply(text, 1, 1, logprobs=tuple((token, math.log(p)) for token, p in tokens))


def test_log_probabilities_in_place_of_draws():
    said = {
        "sure": [logged((" good", 0.9), ("bad", 0.05), ("The", 0.05), text="good")],
        "unsure": [logged(("Good", 0.3), ("goo", 0.2), ("bad", 0.4), text="good")],
        "none": [Reply("good")],
    }
    model = Draws(said)
    found = cascade(model, rows_of(said), READER, expert=say_bad, threshold=0.8, use_logprobs=True)
    assert found.agreement == pytest.approx((0.9 / 0.95, 5 / 9, 0.0))
    assert found.asked == (False, True, True)
    assert [(how.temperature, how.sample, how.logprobs) for _, how, _ in model.asked] == [(0.0, 0, 20)] * 3


def test_probability_of_what_is_stated():
    reply = logged(("bad", 0.6), ("good", 0.2), ("The", 0.2))
    assert probability_of("bad", reply, READER) == pytest.approx(0.75)
    assert probability_of("good", reply, READER) == pytest.approx(0.25)
    assert probability_of(None, reply, READER) == 0
    assert probability_of("good", Reply("good"), READER) == 0


def test_a_model_without_log_probabilities_is_refused():
    with pytest.raises(ModelError, match="draws gave no log-probabilities; use draws"):
        cascade(Draws({"a": ["good"]}), rows_of("a"), READER, expert=say_bad, use_logprobs=True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"temperature": 0.0}, "3 greedy draws are the same"),
        ({"expert": lambda rows: []}, "the expert gave 0 answers for 4 rows"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, says):
    with pytest.raises(InputError, match=says):
        cascade(Draws(SAID), rows_of(SAID), READER, **{"expert": say_bad} | arguments)


def test_log_probabilities_and_reasoning_do_not_go_together():
    reader = Reader(READER.prompts, setting=Setting(reasoning=True))
    with pytest.raises(InputError, match="with reasoning that is no answer"):
        draw_answers(Draws({}), [], reader, use_logprobs=True)


def test_draws_of_other_rows_are_refused():
    drawn = draw_answers(Draws(SAID), rows_of(SAID), READER)
    with pytest.raises(InputError, match="the draws are of 5 rows, and 1 rows"):
        with_expert(drawn, rows_of(["sure"]), say_bad)


def test_no_rows_and_one_greedy_draw():
    empty = cascade(Draws({}), [], READER, expert=say_bad)
    assert (empty.answers, empty.share_asked, empty.calls) == ((), 0.0, 0)
    one = cascade(Draws({"a": ["good"]}), rows_of("a"), READER, expert=say_bad, draws=1, temperature=0.0)
    assert (one.answers, one.asked) == (("good",), (False,))


def test_majority_ties_go_to_the_first_drawn():
    assert majority(["b", "a", "a", "b"]) == ("b", 0.5)
    assert majority([None, "a", None]) == ("a", 1 / 3)
    assert majority([]) == (None, 0.0)
    assert majority(["le Chat", "le chat ", "un chien"]) == ("le Chat", 2 / 3)
