"""Rows answered: nobody sees an answer, insights come per row, invalid replies say why."""

from dataclasses import replace

import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.methods.panda.answer import Reader, answer, conversation_of, conversation_with
from kshot.methods.panda.prompts import fields, open_prompts
from kshot.methods.panda.records import Insight
from kshot.methods.panda.seams import Chosen, Retrieved, Setting
from kshot.models.asking import Decoding
from kshot.models.base import Reply
from kshot.models.fake import ScriptedModel

MOOD = Template(instruction="Mood?", kind="classification", labels=("bad", "good"))
PROMPTS = open_prompts(MOOD)
ROWS = [
    Example(f"text {i}", ("bad", "good")[i % 2], source=f"rows:{i}", reasoning=f"gold reason {i}")
    for i in range(5)
]


def note_for(row):
    return Retrieved((Chosen(Insight(0, f"near {row.prompt}", f"note on {row.prompt}"), 0.5),))


def test_each_row_gets_its_own_insights_and_answer():
    def say(conversation):
        seen = dict(fields(conversation[-1].content))
        assert seen["Note"] == f"note on {seen['Text']}"
        return ("bad", "good")[int(seen["Text"][-1]) % 2]

    model = ScriptedModel(say)
    seen_rows = []
    progress = []
    found = answer(
        model,
        ROWS,
        Reader(PROMPTS, lambda row: (seen_rows.append(row), note_for(row))[1]),
        on_answer=lambda done, total: progress.append((done, total)),
    )
    assert [one.answer for one in found] == [row.answer for row in ROWS]
    assert [one.row_id for one in found] == [row.id for row in ROWS]
    assert [one.retrieved for one in found] == [note_for(row) for row in ROWS]
    assert all(one.note == "" for one in found)
    assert all((row.answer, row.reasoning, row.source) == ("", None, None) for row in seen_rows)
    assert progress == [(done, 5) for done in range(1, 6)]


def test_nothing_of_the_gold_reaches_the_model():
    rows = [replace(row, answer=f"secret {i}") for i, row in enumerate(ROWS)]
    model = ScriptedModel(lambda _: "good")
    answer(model, rows, Reader(PROMPTS, setting=Setting(reasoning=True)))
    said = "".join(turn.content for conversation in model.conversations for turn in conversation)
    assert "secret" not in said
    assert "gold reason" not in said


def test_a_shot_never_stands_in_its_own_prompt_and_the_next_takes_its_place():
    reader = Reader(PROMPTS, shots=tuple(ROWS), setting=Setting(shots=2))
    shown = [
        [value for name, value in fields(conversation_of(row, reader)[0][-1].content) if name == "Text"]
        for row in (ROWS[0], ROWS[1], ROWS[4], Example("Text  0", ""))
    ]
    assert shown == [
        ["text 1", "text 2", "text 0"],
        ["text 0", "text 2", "text 1"],
        ["text 0", "text 1", "text 4"],
        ["text 1", "text 2", "Text  0"],  # equal but for case and blanks
    ]


def test_zero_shot_shows_no_shots_and_no_insights():
    reader = Reader(PROMPTS, shots=tuple(ROWS))
    assert conversation_of(ROWS[0], reader) == (PROMPTS.query(Example("text 0", "")), Retrieved())
    with_notes = Reader(PROMPTS, note_for, guide="Rules.")
    plain = conversation_with(ROWS[0], Retrieved(), replace(with_notes, guide=""))
    assert plain == PROMPTS.query(Example("text 0", ""))
    assert conversation_with(ROWS[0], note_for(ROWS[0]), with_notes)[0].content == "Rules."


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply("", finish_reason="error", error="refused by the filter"), "no reply: refused by the filter"),
        (Reply(" \n"), "the reply is empty"),
        (Reply("I think that", finish_reason="length"), "the reply was cut by the token limit"),
        (Reply("good and bad"), "the reply states no answer, or several"),
    ],
)
def test_an_invalid_reply_says_why(reply, note):
    found = answer(ScriptedModel(lambda _: reply), ROWS[:1], Reader(PROMPTS))
    assert found[0].answer is None
    assert found[0].note.startswith(note)
    assert found[0].reply == reply


class Recorder:
    id = "recorder"

    def __init__(self):
        self.seen = []

    def generate(self, conversations, **how):
        self.seen.append(how)
        return [Reply("good") for _ in conversations]


def test_decoding_follows_the_setting_or_what_is_given():
    model = Recorder()
    answer(model, ROWS[:1], Reader(PROMPTS))
    answer(model, ROWS[:1], Reader(PROMPTS, setting=Setting(reasoning=True)))
    answer(model, ROWS[:1], Reader(PROMPTS), decoding=Decoding(max_new_tokens=7, temperature=0.5, sample=2))
    limits = [(how["max_new_tokens"], how["temperature"], tuple(how["stop"])) for how in model.seen]
    assert limits == [(50, 0.0, ("\n",)), (512, 0.0, ()), (7, 0.5, ())]


def test_the_questions_carry_their_step_and_replies_may_come_in_any_order():
    class Backwards(Recorder):
        def ask(self, questions):
            listed = list(questions)
            self.seen += [question.step for question in listed]
            for position in reversed(range(len(listed))):
                yield position, Reply(("bad", "good")[position % 2])

    model = Backwards()
    assert [one.answer for one in answer(model, ROWS, Reader(PROMPTS), step="control")] == [
        row.answer for row in ROWS
    ]
    assert model.seen == ["control"] * 5


def test_no_rows_no_calls():
    model = ScriptedModel([])
    assert answer(model, [], Reader(PROMPTS)) == []
    assert model.conversations == []
