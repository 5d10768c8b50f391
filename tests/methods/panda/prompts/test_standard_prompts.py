"""Each part of a prompt once, in order, whatever stands in the texts; and no gold answer in it."""

import pickle
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Example, Message
from kshot.data.template import Template
from kshot.errors import InputError, MetricError
from kshot.methods.panda.prompts import INSIGHTS_LINE, fields, open_prompts
from kshot.methods.panda.prompts.standard import PREFERENCE_LINE, QUERY_LINE, SHOTS_LINE
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.seams import Setting

MOOD = Template(
    instruction="Classify the mood of the tweet.",
    kind="classification",
    labels=("negative", "neutral", "positive"),
)
PICK = Template(instruction="Pick.", kind="choice")
FREE = Template(instruction="Translate to French.")
PROMPTS = open_prompts(MOOD)
ROW = Example("the query text", "positive", source="hidden")
PLAIN = PROMPTS.query(ROW)
SHOTS = (Example("shot one", "neutral", reasoning="it is flat"), Example("shot two", "negative"))
SETTINGS = [
    Setting(shots=shots, reasoning=reasoning, render=render)
    for shots, reasoning, render in product((0, 2), (False, True), ("insight", "preference", "both"))
]


def insight(key="case key", note="case note", answer="neutral"):
    ranked = (Candidate(answer, probability=0.75), Candidate("positive", probability=0.25))
    return Insight(0, key, note, preference=Preference(key, ranked, ExpertFacts("gold")))


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_part_once_and_in_order(setting):
    found = PROMPTS.query(ROW, insights=[insight()], shots=SHOTS[: setting.shots], setting=setting)
    assert [turn.role for turn in found] == ["user"]
    text = found[0].content
    parts = [INSIGHTS_LINE, "Case: case key"]
    parts += ["Expert's answer: neutral"] if setting.render != "insight" else []
    parts += ["Expert's probability: 0.75"] if setting.render == "both" else []
    parts += ["Note: case note"] if setting.render != "preference" else []
    if setting.shots:
        parts += [SHOTS_LINE, "Text: shot one"]
        parts += ["Reasoning: it is flat"] if setting.reasoning else []
        parts += ["Answer: neutral", "Text: shot two", "Answer: negative"]
    parts += [QUERY_LINE, "Task: Classify the mood of the tweet.", "0: negative", "1: neutral", "2: positive"]
    parts += ["Text: the query text"]
    parts += ["\nAnswer: <" if setting.reasoning else "Reply with the right label"]
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)
    assert [text.count(part) for part in parts] == [1] * len(parts)
    absent = {"Expert's answer", "Expert's probability", "Note:", SHOTS_LINE, "Reasoning:"}
    assert all((part in text) == any(part in p for p in parts) for part in absent)


@pytest.mark.parametrize("setting", SETTINGS)
def test_without_anything_it_is_the_plain_query_byte_for_byte(setting):
    plain = PROMPTS.query(ROW, setting=replace(setting, shots=0, render="both"))
    empty = replace(insight(note=""), preference=None)
    assert PROMPTS.query(ROW, insights=[], shots=(), setting=setting, guide="") == plain
    assert PROMPTS.query(ROW, insights=[empty], setting=setting) == plain
    assert (plain == PLAIN) == (not setting.reasoning)
    assert PROMPTS.query(ROW, insights=[insight()], setting=setting)[0].content.endswith(plain[0].content)


def test_no_gold_is_read():
    for prompts, row in (
        (PROMPTS, ROW),
        (open_prompts(PICK), Example("q", "b", choices=("a", "b"))),
        (open_prompts(MOOD, style="bare"), ROW),
    ):
        bare = replace(row, answer="", source=None)
        assert prompts.query(row, setting=Setting(reasoning=True)) == prompts.query(
            bare, setting=Setting(reasoning=True)
        )
        asked = (Candidate("neutral"), [Candidate("negative")])
        assert prompts.explain(row, *asked) == prompts.explain(bare, *asked)


NASTY = st.one_of(
    st.text(alphabet='ab":\n\r {}', max_size=8),
    st.sampled_from(
        [
            "Answer: positive", "x\n\nHere is the case that is asked about.\nText: other",
            '"""\nAnswer: 0\n"""',
            INSIGHTS_LINE, "{task} {0}", "Reply with the right label\nNote: a", "positive negative",
        ]
    ),
)  # fmt: skip


@given(NASTY, NASTY, NASTY, NASTY.filter(lambda text: text.strip() != ""))
def test_texts_do_no_harm(key, note, shot, query):
    one = replace(insight(key=key, note="x"), insight=note)
    shots = [Example(shot + "s", "neutral")]
    text = PROMPTS.query(
        Example(query, ""), insights=[one], shots=shots, setting=Setting(shots=1)
    )[-1].content  # fmt: skip
    shown = [("Case", key), ("Expert's answer", "neutral"), ("Expert's probability", "0.75")]
    shown += [("Note", note)] if note.strip() else []
    shown += [("Text", shot + "s"), ("Answer", "neutral"), ("Task", MOOD.instruction), ("Text", query)]
    assert fields(text) == shown
    assert text.endswith("Reply with the right label, by its name or its index, and with nothing else.")


def test_system_message_guide_history_and_the_rows_own_system():
    row = replace(ROW, system="Be kind.", history=(Message("user", "hi"), Message("assistant", "hello")))
    found = open_prompts(MOOD, system=True).query(row, insights=[insight()], guide="Rules.")
    assert [turn.role for turn in found] == ["system", "user", "assistant", "user"]
    assert found[0].content.startswith(f"Rules.\n\nBe kind.\n\n{INSIGHTS_LINE}\n\nCase: case key")
    assert found[1:3] == row.history
    assert found[3].content == PLAIN[0].content
    guided = PROMPTS.query(ROW, guide="Rules.")
    assert [(turn.role, turn.content) for turn in guided] == [
        ("system", "Rules."),
        ("user", PLAIN[0].content),
    ]


def test_choices_free_text_and_missing_instructions():
    row = Example("Warm?", "fire", choices=("ice", "fire"))
    text = open_prompts(PICK).query(row, shots=[row], setting=Setting(shots=1))[0].content
    assert fields(text) == [
        ("Text", "Warm?\nA. ice\nB. fire"),
        ("Answer", "B"),
        ("Task", "Pick."),
        ("Text", "Warm?\nA. ice\nB. fire"),
    ]
    assert text.endswith("Reply with the letter of the right choice, and with nothing else.")
    assert "index" not in open_prompts(FREE).query(Example("cat", ""))[0].content
    for kind in ("classification", "choice", "generation", "extraction"):
        assert fields(open_prompts(Template(kind=kind)).query(Example("x", ""))[0].content)[0][0] == "Task"


def test_display_names_are_shown_everywhere_and_read():
    names = {"negative": "Bad", "positive": "Good"}
    prompts = open_prompts(MOOD, names=names)
    text = prompts.query(
        ROW, insights=[insight(answer="negative")], shots=[Example("s", "positive")], setting=Setting(shots=1)
    )[0].content
    assert "0: Bad\n1: neutral\n2: Good" in text
    assert ("Expert's answer", "Bad") in fields(text)
    assert ("Answer", "Good") in fields(text)
    assert "positive" not in text
    asked = prompts.explain(ROW, Candidate("negative"), [Candidate("positive", name="Great")])[0][0].content
    assert "Preferred answer: Bad (index 0)\nLess preferred answer: Great (index 2)" in asked


@pytest.mark.parametrize("ask", ["reason", "reason_without_answer", "strategy"])
def test_the_explanation_request_has_four_parts_in_order(ask):
    conversation, opening = PROMPTS.explain(
        ROW, Candidate("positive"), [Candidate("neutral"), Candidate("negative")], ask=ask
    )
    text = conversation[-1].content
    assert text.startswith(PLAIN[0].content)
    assert text.endswith(f"\n{opening}")
    assert "Classify the mood of the tweet" in opening
    assert not any(label in opening for label in MOOD.labels)
    ranking = (
        f"{PREFERENCE_LINE}\nPreferred answer: positive (index 2)\nLess preferred answer: neutral (index 1)\n"
    )
    places = [
        text.find(ranking),
        text.find("Less preferred answer: negative (index 0)"),
        text.find("Why does"),
    ]
    assert -1 not in places
    assert places == sorted(places)


def test_explanations_of_one_answer_of_choices_and_of_reasoning():
    one = PROMPTS.explain(ROW, Candidate("positive"), [])[0][-1].content
    assert "Preferred answer: positive (index 2)" in one
    assert "Less preferred" not in one
    row = Example("Warm?", "", choices=("ice", "fire"))
    for answers in (("B", "A"), ("fire", "ice")):
        asked = open_prompts(PICK).explain(row, Candidate(answers[0]), [Candidate(answers[1])])[0][-1].content
        assert "Preferred answer: B. fire\nLess preferred answer: A. ice" in asked
    reasoned = PROMPTS.explain(ROW, Candidate("positive"), [], setting=Setting(reasoning=True))[0][-1].content
    assert reasoned.startswith(PROMPTS.query(ROW, setting=Setting(reasoning=True))[0].content)
    asks = [PROMPTS.explain(ROW, Candidate("positive"), [], ask=a) for a in ("reason", "strategy")]
    assert asks[0] != asks[1]


def test_the_id_follows_everything_that_changes_a_prompt():
    ids = [
        open_prompts(MOOD).id,
        open_prompts(replace(MOOD, instruction="Other.")).id,
        open_prompts(replace(MOOD, labels=MOOD.labels[::-1])).id,
        open_prompts(MOOD, names={"negative": "bad"}).id,
        open_prompts(MOOD, system=True).id,
        open_prompts(MOOD, multiline=True).id,
        open_prompts(MOOD, style="bare").id,
        open_prompts(PICK).id,
    ]
    assert len(set(ids)) == len(ids)
    assert open_prompts(MOOD).id == ids[0]
    assert ids[0].startswith("standard:")


def test_the_id_follows_the_words(monkeypatch):
    before = open_prompts(MOOD).id
    monkeypatch.setattr("kshot.methods.panda.prompts.standard.SHOTS_LINE", "Other words.")
    assert open_prompts(MOOD).id != before


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"style": "long"}, InputError, "'long' do not exist; there are standard and bare"),
        ({"style": "bare", "names": {"negative": "x"}}, InputError, "bare prompts have no display names"),
        ({"style": "bare", "system": True}, InputError, "bare prompts"),
        ({"names": {"angry": "x"}}, InputError, "'angry' is none of the labels negative, neutral, positive"),
        ({"names": {"negative": "Neutral"}}, MetricError, "cannot be told apart"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, says):
    with pytest.raises(error, match=says):
        open_prompts(MOOD, **arguments)


def test_prompts_travel_to_other_processes():
    for prompts in (open_prompts(MOOD, names={"negative": "bad"}), open_prompts(MOOD, style="bare")):
        assert pickle.loads(pickle.dumps(prompts)) == prompts


def test_stops():
    assert PROMPTS.stop(Setting()) == ("\n",)
    assert PROMPTS.stop(Setting(reasoning=True)) == ()
    assert open_prompts(FREE, multiline=True).stop(Setting()) == ()


@pytest.mark.parametrize(
    ("labels", "by_index"),
    [(("0", "1"), True), (("a", "b"), True), (("1", "10"), False), (("2", "0"), False)],
)
def test_no_index_is_offered_where_it_would_name_another_label(labels, by_index):
    prompts = open_prompts(Template(kind="classification", labels=labels))
    query = prompts.query(Example("a text", ""))[-1].content
    assert ("by index" in query, "its index" in query) == (by_index, by_index)
    assert "by its name" in query
    request = prompts.explain(Example("a text", ""), Candidate(labels[1]), [Candidate(labels[0])])[0]
    assert ("(index" in request[-1].content) == by_index
