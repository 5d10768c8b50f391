"""The bare prompts are those that the miniature's base model was taught, to the letter."""

from dataclasses import replace

from kshot.data.example import Example, Message
from kshot.data.template import Template
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.seams import Setting
from kshot.miniature.skills import explain_prompt, notes_prompt
from kshot.miniature.world import INSTRUCTION
from kshot.models.base import Reply

TEMPLATE = Template(instruction=INSTRUCTION, reasoning="answer_first")
BARE = open_prompts(TEMPLATE, style="bare")
ROW = Example("zank mivo brolt", "lamp river iron", reasoning="hidden")
SYSTEM = Message("system", INSTRUCTION)
INSIGHT = Setting(render="insight")


def insight(text, key="mivo", *answers):
    ranked = tuple(map(Candidate, answers))
    return Insight(0, key, text, preference=Preference(key, ranked, ExpertFacts("lm")) if ranked else None)


def test_explain_is_the_miniatures():
    conversation, opening = BARE.explain(ROW, Candidate("lamp river iron"), [Candidate("iron star lamp")])
    asked = explain_prompt(ROW.prompt, "lamp river iron", "iron star lamp")
    assert conversation == (SYSTEM, Message("user", asked))
    assert opening == ""


def test_explain_without_a_rival_and_with_two():
    assert BARE.explain(ROW, Candidate("lamp"), [])[0][-1].content == "zank mivo brolt\nlamp\nwhy"
    two = BARE.explain(ROW, Candidate("a"), [Candidate("b"), Candidate("c")])[0][-1].content
    assert two == "zank mivo brolt\na over b over c\nwhy"


def test_notes_are_the_miniatures_each_line_once():
    notes = ["brolt is iron ; zank is lamp", "mivo is river"]
    pool = [insight("\n".join(notes)), insight(notes[1]), insight(notes[0] + "\n\n")]
    found = BARE.query(ROW, insights=pool, setting=INSIGHT)
    assert found == (SYSTEM, Message("user", notes_prompt(notes, ROW.prompt)))


def test_plain_query():
    assert BARE.query(ROW) == TEMPLATE.conversation(ROW) == (SYSTEM, Message("user", ROW.prompt))


def test_preferences_are_earlier_turns():
    pool = [insight("mivo is river", "mivo", "river", "star"), insight("no preference")]
    turns = (Message("user", "mivo"), Message("assistant", "river"))
    preference = BARE.query(ROW, insights=pool, setting=Setting(render="preference"))
    assert preference == (SYSTEM, *turns, Message("user", ROW.prompt))
    both = BARE.query(ROW, insights=pool[:1], setting=Setting(render="both", answers=2))
    assert both == (SYSTEM, *turns, Message("user", notes_prompt(["mivo is river"], ROW.prompt)))
    two = BARE.query(ROW, insights=pool[:1], setting=Setting(render="preference", answers=2))
    assert two[2].content == "river over star"


def test_shots_are_earlier_turns_behind_the_insights():
    shots = [Example("brolt", "iron", reasoning="brolt is iron")]
    pool = [insight("", "mivo", "river")]
    direct = BARE.query(ROW, insights=pool, shots=shots, setting=Setting(shots=1))
    assert [turn.content for turn in direct[1:]] == ["mivo", "river", "brolt", "iron", ROW.prompt]
    reasoned = BARE.query(ROW, shots=shots, setting=Setting(shots=1, reasoning=True))
    assert reasoned == TEMPLATE.conversation(ROW, shots)
    last = open_prompts(replace(TEMPLATE, reasoning="none"), style="bare")
    reasoned = last.query(ROW, shots=shots, setting=Setting(shots=1, reasoning=True))
    assert reasoned[2].content == "brolt is iron\nAnswer: iron"


def test_the_guide_stands_above_the_notes():
    found = BARE.query(ROW, insights=[insight("mivo is river")], setting=INSIGHT, guide="brolt is iron")
    assert found == (SYSTEM, Message("user", notes_prompt(["brolt is iron", "mivo is river"], ROW.prompt)))


def test_without_an_instruction_preferences_come_first():
    plain = open_prompts(Template(), style="bare")
    found = plain.query(ROW, insights=[insight("", "mivo", "river")])
    assert [turn.role for turn in found] == ["user", "assistant", "user"]


def test_replies():
    assert BARE.read(Reply("lamp river iron\nbecause"), Setting()) == "lamp river iron"
    assert BARE.read(Reply("lamp river iron\nbecause", finish_reason="length"), Setting(reasoning=True)) == (
        "lamp river iron"
    )
    assert BARE.stop(Setting()) == ("\n",)
    assert BARE.stop(Setting(reasoning=True)) == ()
