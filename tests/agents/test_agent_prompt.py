from kshot.agents.prompt import (
    Situation,
    Turn,
    action_prompt,
    advice_in,
    fitted,
    insight_text,
    shown_insight,
    thoughts_prompt,
)
from kshot.agents.strategies import STRATEGIES
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference

RANKED = Preference("t", tuple(map(Candidate, ("go out", "wait", "eat"))), ExpertFacts("gold"))
INSIGHT = Insight(0, "[observation]: a room", "Outside is\nthe egg.", preference=RANKED)


def test_parts_stand_in_order_and_once() -> None:
    situation = Situation(
        "FIRST task", (Turn("ONE", "saw one"),), example="EXAMPLE", insights=insight_text([INSIGHT]),
        reflections=("note a", "note b", "note c", "note d"),
    )  # fmt: skip
    (message,) = action_prompt(situation, STRATEGIES["reflexion"])
    text = message.content
    marks = [
        "think:",
        "EXAMPLE",
        "Outside is the egg.",
        "note b",
        "note c",
        "note d",
        "FIRST task",
        "> ONE",
        "saw one",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    assert all(text.count(mark) == 1 for mark in marks)
    assert "note a" not in text
    assert text.endswith("\n>")


def test_saycan_is_told_nothing_of_thoughts() -> None:
    (message,) = action_prompt(Situation("FIRST"), STRATEGIES["saycan"])
    assert "think:" not in message.content


def test_renders() -> None:
    assert shown_insight(INSIGHT, render="insight") == "Outside is the egg."
    assert (
        shown_insight(INSIGHT, render="preference") == 'The expert preferred "go out" over "wait" and "eat".'
    )
    both = shown_insight(INSIGHT, render="both")
    assert both == 'The expert preferred "go out" over "wait" and "eat". Outside is the egg.'
    assert insight_text([Insight(0, "k", "")]) == ""
    assert insight_text([]) == ""


def test_the_block_can_be_read_back() -> None:
    situation = Situation("FIRST", insights=insight_text([INSIGHT, INSIGHT]))
    (message,) = action_prompt(situation, STRATEGIES["react"])
    assert len(advice_in(message.content)) == 2


def test_a_budget_drops_whole_oldest_steps_and_never_task_or_insights() -> None:
    turns = tuple(Turn(f"action {number:02d}", "seen " * 20) for number in range(30))
    situation = Situation("FIRST task", turns, example="EXAMPLE", insights=insight_text([INSIGHT]))
    for budget in (60, 200, 400, 700):
        text = action_prompt(situation, STRATEGIES["react"], budget=budget)[0].content
        kept = [number for number in range(30) if f"action {number:02d}" in text]
        assert kept == list(range(30 - len(kept), 30))
        assert "FIRST task" in text
        assert "Outside is the egg." in text
        assert len(text) / 4 <= budget + 2 or not kept
    assert len(kept) > 5


def test_no_budget_drops_nothing() -> None:
    turns = [Turn("a", "b" * 1000)] * 50
    assert fitted("first", turns, budget=None)[1] == 0


def test_texts_with_braces_do_no_harm() -> None:
    (message,) = thoughts_prompt("{first} %s", [Turn("{action}", "{0}")])
    assert "{first} %s" in message.content
    assert "{action}" in message.content
