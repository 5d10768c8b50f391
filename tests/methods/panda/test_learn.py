"""Learning, with a scripted model: each lesson exactly one outcome, nothing filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kshot.data.example import Conversation, Example, Message
from kshot.data.template import Template
from kshot.errors import DataError, InputError
from kshot.methods.panda.learn import (
    Lesson,
    NotLearned,
    drop_equal_texts,
    learn,
    learning_decoding,
    planned_insight,
    question_of,
)
from kshot.methods.panda.pairs import reversed_preference
from kshot.methods.panda.preferences import from_actions, from_probabilities
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.records import ExpertFacts, Insight, Spent
from kshot.models.asking import Question
from kshot.models.base import Reply

LABELS = ("anger", "joy", "calm")


class Wording:
    """The smallest prompts."""

    id = "tiny@1"

    def explain(self, row, preferred, rivals, *, ask="reason"):
        over = ", ".join(rival.shown for rival in rivals) or "nothing"
        text = f"{row.prompt}\n{preferred.shown} over {over}\n{ask}"
        return (Message("user", text),), f"In {row.prompt},"


class Scripted:
    """Replies by the first line of the first user turn, in turn; a text stands for a whole reply."""

    id = "scripted@1"

    def __init__(self, script: dict[str, Sequence[str | Reply]]) -> None:
        self.script = {key: list(replies) for key, replies in script.items()}
        self.asked: list[tuple[Conversation, int, float, tuple[str, ...]]] = []

    def generate(self, conversations, *, max_new_tokens=64, temperature=0.0, seed=0, stop=()):
        found = []
        for conversation in conversations:
            self.asked.append((conversation, max_new_tokens, temperature, tuple(stop)))
            reply = self.script[conversation[0].content.partition("\n")[0]].pop(0)
            found.append(reply if isinstance(reply, Reply) else Reply(reply, 10, 5, calls=1, usd=0.5))
        return found


class Backwards(Scripted):
    """An asker that settles its questions in the opposite order."""

    def ask(self, questions: Iterable[Question]) -> Iterator[tuple[int, Reply]]:
        for position, question in reversed(list(enumerate(questions))):
            yield position, self.generate([question.conversation])[0]


def lesson(text: str, position: int = 0, *, shares=(0.1, 0.7, 0.2), gold=None) -> Lesson:
    expert = ExpertFacts("classifier", "head@1")
    preference = from_probabilities(text, LABELS, shares, expert=expert, gold=gold, source=f"a:{position}")
    return Lesson(Example(text, ""), preference, position)


def all_of(model, lessons, **options):
    return list(learn(model, lessons, prompts=Wording(), **options))


def test_an_insight_holds_all_that_is_known():
    model = Scripted({"so good": ["It smiles."]})
    one = lesson("so good", 7, gold="anger")
    (found,) = all_of(model, [one])
    assert isinstance(found, Insight)
    created = datetime.fromisoformat(found.created)
    assert created.utcoffset() == timedelta(0)
    assert replace(found, created="") == Insight(
        row=7,
        key="so good",
        insight="It smiles.",
        opening="In so good,",
        preference=one.preference,
        heuristic="top2",
        template="tiny@1/reason",
        model="scripted@1",
        flags=("against_gold",),
        spent=Spent(10, 5, 1, 0.5),
        source="a:7",
    )
    assert found.explanation == "In so good, It smiles."
    assert model.asked == [((Message("user", "so good\njoy over calm\nreason"),), 150, 0.0, ())]


def test_the_plan_has_the_id_of_the_record_and_no_text():
    for heuristic in ("top1", "top2", "top3", "far", "last"):
        for ask in ("reason", "strategy"):
            model = Scripted({"so good": ["It smiles."]})
            (found,) = all_of(model, [lesson("so good")], heuristic=heuristic, ask=ask)
            plan = planned_insight(
                lesson("so good"), prompts=Wording(), heuristic=heuristic, ask=ask, model_id=model.id
            )
            assert (plan.id, plan.insight) == (found.id, "")
    ids = {
        planned_insight(lesson("t"), prompts=Wording(), heuristic=h, ask=a, model_id=m).id
        for h in ("top2", "far")
        for a in ("reason", "strategy")
        for m in ("x", "y")
    }
    assert len(ids) == 8


def test_question_of_is_what_learn_asks():
    model = Scripted({"so good": ["It smiles."]})
    all_of(model, [lesson("so good")], heuristic="top3", ask="strategy")
    question = question_of(lesson("so good"), prompts=Wording(), heuristic="top3", ask="strategy")
    assert question.conversation == model.asked[0][0]
    assert question.conversation[0].content == "so good\njoy over calm, anger\nstrategy"
    assert (question.step, question.decoding.max_new_tokens) == ("learn", 150)
    assert question.check is not None
    assert question.check("It is calm.")


@pytest.mark.parametrize("style", ["standard", "bare"])
@pytest.mark.parametrize("ask", ["reason", "reason_without_answer", "strategy"])
def test_the_wordings_of_the_package_fit(style, ask):
    class Says:
        id = "says@1"

        def generate(self, conversations, **decoding):
            return [Reply("It smiles.") for _ in conversations]

    prompts = open_prompts(Template("Which mood?", "classification", LABELS), style=style)
    (found,) = learn(Says(), [lesson("so {good}\nor not")], prompts=prompts, ask=ask)
    assert isinstance(found, Insight)
    assert found.insight == "It smiles."
    assert found.template == f"{prompts.id}/{ask}"
    question = question_of(lesson("so {good}\nor not"), prompts=prompts, ask=ask)
    assert question.conversation[-1].content.endswith(found.opening)


def test_an_unusable_reply_is_asked_for_once_more_and_then_not_learned():
    script = {"a": ["", "It smiles."], "b": ["It is calm.", "Then it is calm."], "c": ["", ""]}
    model = Scripted(script)
    found = {o.position if isinstance(o, NotLearned) else o.row: o for o in all_of(model, [
        lesson("a", 0), lesson("b", 1), lesson("c", 2)])}  # fmt: skip
    assert isinstance(found[0], Insight)
    assert (found[0].insight, found[0].spent) == ("It smiles.", Spent(20, 10, 2, 1.0))
    assert isinstance(found[1], NotLearned)
    assert "unusable twice: Your explanation ends by naming calm" in found[1].reason
    assert isinstance(found[2], NotLearned)
    assert "empty" in found[2].reason
    again = [turns for turns, *_ in model.asked if len(turns) > 1]
    assert [turns[1].content for turns in again] == ["(empty)", "It is calm.", "(empty)"]
    assert "joy is preferred" in again[1][2].content


def test_a_failed_request_is_told_and_ends_nothing():
    error = Reply("", finish_reason="error", error="server said 400")
    found = all_of(Scripted({"a": [error], "b": ["It smiles."]}), [lesson("a", 3), lesson("b", 4)])
    assert found[0] == NotLearned(3, "server said 400")
    assert isinstance(found[1], Insight)


def test_a_cut_reply_goes_back_to_its_last_full_sentence():
    cut = Reply("It smiles. And then it", 10, 150, finish_reason="length")
    (found,) = all_of(Scripted({"a": [cut]}), [lesson("a")])
    assert (found.insight, found.flags, found.finish_reason) == ("It smiles.", ("cut",), "length")
    (lost,) = all_of(Scripted({"a": [replace(cut, text="It smiles and")]}), [lesson("a", 5)])
    assert lost == NotLearned(5, "cut by the limit before its first sentence ended")
    long = replace(cut, text="So it is calm. " + "very " * 130)
    (rival,) = all_of(Scripted({"a": [long, long]}), [lesson("a", 5)])
    assert isinstance(rival, NotLearned)
    # its fragment names nobody, its last full sentence a rival: this shows only once it is cut back
    short = replace(cut, text="So it is calm. And then")
    (rival,) = all_of(Scripted({"a": [short]}), [lesson("a", 5)])
    assert rival.reason.startswith("unusable: Your explanation ends by naming calm")


def test_an_opening_said_again_is_taken_off():
    (found,) = all_of(Scripted({"a": ["In a, it smiles."]}), [lesson("a")])
    assert (found.insight, found.flags) == ("it smiles.", ("opening_repeated",))


def test_replies_come_in_any_order_and_keep_their_rows():
    texts = [f"t{i}" for i in range(5)]
    model = Backwards({text: [f"It is like {text}."] for text in texts})
    found = all_of(model, [lesson(text, 10 + i) for i, text in enumerate(texts)])
    assert [one.row for one in found] == [14, 13, 12, 11, 10]
    assert all(one.insight == f"It is like {one.key}." == f"It is like t{one.row - 10}." for one in found)


def test_outcomes_come_as_replies_do():
    class Slow(Backwards):
        def ask(self, questions):
            for position, question in enumerate(questions):
                yield position, self.generate([question.conversation])[0]

    model = Slow({f"t{i}": ["It smiles."] for i in range(3)})
    outcomes = learn(model, [lesson(f"t{i}", i) for i in range(3)], prompts=Wording())
    next(outcomes)
    assert len(model.asked) == 1


def test_preferences_alone_are_learned_without_a_call():
    found = all_of(None, [lesson("a", 0), lesson("b", 1)], render="preference")
    assert [(one.row, one.insight, one.opening, one.model, one.template) for one in found] == [
        (0, "", "", "", ""),
        (1, "", "", "", ""),
    ]
    assert [one.answer for one in found] == ["joy", "joy"]
    model = Scripted({})
    assert [one.id for one in all_of(model, [lesson("a", 0)], render="preference")] == [found[0].id]
    plan = planned_insight(lesson("a"), prompts=Wording(), model_id="x", render="preference")
    assert plan.id == found[0].id
    with pytest.raises(DataError, match="no model"):
        all_of(None, [lesson("a")])


def test_a_lesson_that_repeats_another_is_not_paid_for_twice():
    model = Scripted({"a": ["It smiles."]})
    found = all_of(model, [lesson("a", 4), lesson("a", 9)])
    assert found[0] == NotLearned(9, "repeats lesson 4: the same key and preference")
    assert isinstance(found[1], Insight)
    assert len(model.asked) == 1


def test_agents_explain_in_one_line_under_their_own_key():
    expert = ExpertFacts("agent", "gold path")
    preference = from_actions("look\ngo out", ["go out", "wait"], expert=expert)
    one = Lesson(Example("look\ngo out", ""), preference, 0, key="[observation]: a door")
    assert learning_decoding(one).stop == ("\n",)
    gold = Lesson(one.row, replace(preference, expert=ExpertFacts("gold")), 0, key=one.key)
    assert learning_decoding(gold).stop == ("\n",)
    assert learning_decoding(lesson("a")).stop == ()
    model = Scripted({"look": ["The door leads on."]})
    (found,) = all_of(model, [one])
    assert (found.key, found.preference.text) == ("[observation]: a door", "look\ngo out")
    assert model.asked[0][3] == ("\n",)


def test_fall_backs_and_corruption_are_flagged():
    two = from_probabilities("a", ("anger", "joy"), (0.2, 0.8), expert=ExpertFacts("classifier"))
    model = Scripted({"a": ["It smiles.", "It shouts."]})
    (found,) = all_of(model, [Lesson(Example("a", ""), two, 0)], heuristic="top3")
    assert (found.heuristic, found.flags) == ("top2", ("fell_back",))
    wrong = Lesson(Example("a", ""), reversed_preference(two), 0)
    (corrupted,) = all_of(model, [wrong])
    assert (corrupted.answer, corrupted.flags) == ("anger", ("corrupted",))
    assert model.asked[1][0][0].content == "a\nanger over joy\nreason"
    assert corrupted.id != found.id


def test_no_lessons_ask_nobody_and_a_wrong_heuristic_is_refused():
    assert all_of(Scripted({}), []) == []
    with pytest.raises(InputError, match="top9"):
        all_of(Scripted({}), [lesson("a")], heuristic="top9")


def test_test_rows_are_never_learned_from():
    lessons = [lesson("So good", 0), lesson("so bad", 1), replace(lesson("x", 2), key="SO  GOOD ")]
    kept, left = drop_equal_texts(lessons, ["so good"])
    assert kept == [lessons[1]]
    assert [one.position for one in left] == [0, 2]
    assert drop_equal_texts(lessons, []) == (lessons, [])
