"""The simulated LLM reads the real prompts: its marks are those of the standard wording."""

import pytest

from kshot.data.example import Example, Message
from kshot.data.template import Template
from kshot.errors import ModelError
from kshot.methods.panda import prompts as wording
from kshot.methods.panda.pairs import pair_of
from kshot.methods.panda.prompts import open_prompts
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.seams import Setting
from kshot.models.base import LanguageModel
from kshot.models.fake import FakeServer
from kshot.models.fake.simulated import SimulatedReader, Wording

LABELS = ("joy", "anger", "sadness")
TEMPLATE = Template(instruction="Is it joy, anger or sadness?", kind="classification", labels=LABELS)
PROMPTS = open_prompts(TEMPLATE)
TRUTH = {f"text {at}": LABELS[at % 3] for at in range(600)}


def model(**changes):
    return SimulatedReader(LABELS, **({"truth": TRUTH, "right_share": 0.4} | changes))


def said(reader, conversation, **how):
    return reader.generate([conversation], **how)[0].text


def insight(text, label, note):
    ranked = (Candidate(label, "", 0.8), Candidate("sadness", "", 0.2))
    return Insight(0, text, note, preference=Preference(text, ranked, ExpertFacts("classifier")))


def test_its_marks_are_those_of_the_prompts():
    own = Wording()
    assert own.pattern == wording.FIELD
    assert (own.case, own.note, own.label) == (wording.CASE, wording.NOTE, wording.RANKED[0])
    assert (own.text, own.preferred) == (wording.TEXT, wording.PREFERRED)
    assert isinstance(model(), LanguageModel)
    assert model().id.startswith("simulated")


def test_it_explains_what_is_preferred_and_is_read_so_again():
    row = Example("what an angry joy of a day\nAnswer: sadness", "")
    ranked = Preference(row.prompt, tuple(map(Candidate, LABELS)), ExpertFacts("gold"))
    pair = pair_of(ranked, "top3")
    asked, opening = PROMPTS.explain(row, pair.preferred, pair.rivals)
    note = said(model(), asked)
    assert note == 'joy fits what the text says with "what an angry of".'
    shown = Insight(0, row.prompt, note, opening=opening, preference=ranked)
    asked = PROMPTS.query(Example("text 1", ""), insights=[shown], setting=Setting(render="insight"))
    assert said(model(right_share=1.0), asked) == "joy"  # though the prior knows that it is anger


@pytest.mark.parametrize(
    ("render", "expected"), [("insight", "anger"), ("both", "anger"), ("preference", "joy")]
)
def test_it_believes_the_first_insight(render, expected):
    insights = [insight("a", "joy", "It is anger."), insight("b", "sadness", "It is sadness.")]
    asked = PROMPTS.query(Example("text 2", ""), insights=insights, setting=Setting(render=render))
    assert said(model(), asked) == expected


def test_a_note_without_a_label_leaves_the_prior():
    asked = PROMPTS.query(
        Example("text 3", ""),
        insights=[insight("a", "joy", "Nothing here.")],
        setting=Setting(render="insight"),
    )
    plain = PROMPTS.query(Example("text 3", ""))
    assert said(model(right_share=1.0), asked) == said(model(right_share=1.0), plain) == "joy"


def test_a_case_with_too_few_shared_words_can_be_passed_over():
    insights = [insight("blue text", "joy", "It is anger.")]
    asked = PROMPTS.query(Example("text 3", ""), insights=insights)
    assert [said(model(right_share=1.0, least_shared=n), asked) for n in (0, 1, 2)] == [
        "anger",
        "anger",
        "joy",
    ]


def test_shots_are_copied_by_shared_words():
    shots = [Example("a red house", "anger"), Example("a green tree", "sadness")]
    asked = PROMPTS.query(Example("the green one", ""), shots=shots, setting=Setting(shots=2))
    assert said(model(), asked) == "sadness"
    asked = PROMPTS.query(Example("text 4", ""), shots=shots, setting=Setting(shots=2))
    assert said(model(right_share=1.0), asked) == TRUTH["text 4"]


@pytest.mark.parametrize("share", [0.0, 0.34, 1.0])
def test_the_prior_is_right_as_often_as_it_is_told(share):
    asked = [PROMPTS.query(Example(text, "")) for text in TRUTH]
    found = [reply.text for reply in model(right_share=share).generate(asked)]
    right = sum(text == gold for text, gold in zip(found, TRUTH.values(), strict=True)) / len(TRUTH)
    assert right == pytest.approx(share, abs=0.06)
    assert found == [reply.text for reply in model(right_share=share).generate(asked, seed=9)]  # greedy


def test_draws_differ_only_where_it_has_no_insight():
    plain = [PROMPTS.query(Example(text, "")) for text in TRUTH]
    draws = [model().generate(plain, temperature=0.7, seed=seed) for seed in (1, 2)]
    agree = sum(a.text == b.text for a, b in zip(*draws, strict=True)) / len(TRUTH)
    assert 0.2 < agree < 0.5
    noted = PROMPTS.query(Example("text 5", ""), insights=[insight("a", "joy", "It is joy.")])
    assert {said(model(), noted, temperature=0.7, seed=seed) for seed in range(8)} == {"joy"}


def test_it_is_a_script_for_the_server():
    import json
    import urllib.request

    conversation = PROMPTS.query(Example("text 6", ""))
    body = {"model": "fake", "messages": [{"role": t.role, "content": t.content} for t in conversation]}
    with FakeServer(model()) as server:
        request = urllib.request.Request(
            f"{server.base_url}/chat/completions",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:
            content = json.load(reply)["choices"][0]["message"]["content"]
    assert content == said(model(), conversation)


def test_a_reply_is_cut_at_the_limit():
    asked, _ = PROMPTS.explain(Example("text 7 and more", ""), Candidate("joy"), [Candidate("anger")])
    reply = model().generate([asked], max_new_tokens=3)[0]
    assert (reply.text, reply.finish_reason) == ("joy fits what", "length")
    assert said(model(), (Message("user", "hello"),)) in LABELS


@pytest.mark.parametrize("change", [{"right_share": 1.5}, {"labels": ()}])
def test_nonsense_is_refused(change):
    with pytest.raises(ModelError, match="simulated model"):
        SimulatedReader(**({"labels": LABELS} | change))
