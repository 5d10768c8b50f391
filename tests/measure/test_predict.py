"""What a system says about rows: who answers sees no answer, and what is unreadable is invalid."""

from collections.abc import Sequence

import numpy as np
import pytest

from kshot.data.example import Conversation, Example
from kshot.data.template import Target, Template
from kshot.measure.predict import predict
from kshot.models.base import ChoiceScores, Classifier, Floats, LanguageModel, Reply, System, TokenLosses


class Scripted:
    """A language model that gives its replies in turn and keeps what it was asked."""

    id = "scripted"

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.asked: list[Conversation] = []
        self.stop: Sequence[str] = ()

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        self.asked += conversations
        self.stop = stop
        return list(self.replies)


class Scoring(Scripted):
    """One whose likelihoods can be read: it likes the longest choice, and less so per token."""

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        raise AssertionError

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        self.asked += conversations
        counts = [np.array([len(text) for text in row]) for row in choices]
        return [ChoiceScores((-1.0 / n).astype(np.float32), n * 0 + 1, n, prompt_tokens=7) for n in counts]


class Halves:
    """A classifier that finds the second label as likely as the first."""

    id = "halves"
    labels = ("warm", "cold")

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        return np.full((len(texts), 2), 0.5, np.float32)


def system(model: LanguageModel | Classifier, template: Template) -> System:
    return System("s", "baseline", model, template.conversation)


CLASSES = Template("Warm or cold?", "classification", ("warm", "cold"))
ROWS = (Example("red", "warm", reasoning="like fire", source="t:1"), Example("red", "cold"))


def test_nobody_who_answers_sees_the_answer() -> None:
    seen: list[Example] = []

    def prompt(row: Example) -> Conversation:
        seen.append(row)
        return CLASSES.conversation(row)

    predict(System("s", "x", Scripted(Reply("warm"), Reply("cold")), prompt), ROWS, CLASSES)
    assert seen == [Example("red", ""), Example("red", "")]


def test_ids_are_the_rows_own_and_order_is_kept() -> None:
    found = predict(system(Scripted(Reply("cold"), Reply("warm")), CLASSES), ROWS, CLASSES)
    assert [(p.id, p.prediction) for p in found] == [(ROWS[0].id, "cold"), (ROWS[1].id, "warm")]


def test_a_classifier_takes_the_earlier_label_on_a_tie() -> None:
    assert [p.prediction for p in predict(system(Halves(), CLASSES), ROWS, CLASSES)] == ["warm", "warm"]


def test_closed_answers_are_chosen_by_likelihood_and_cost_is_told() -> None:
    found = predict(system(Scoring(), CLASSES), ROWS[:1], Template("?", "classification", ("a", "abc", "ab")))
    assert (found[0].prediction, found[0].prompt_tokens) == ("abc", 7)


def test_letters_are_chosen_where_there_are_choices() -> None:
    row = Example("p", "x", choices=("x", "y", "z"))
    assert predict(system(Scoring(), CLASSES), [row], Template(kind="choice"))[0].prediction == "A"


def test_an_answer_behind_reasoning_is_generated_even_if_closed() -> None:
    template = Template("?", "classification", ("warm", "cold"), "answer_last")
    model = Scoring(Reply("It burns.\nAnswer: warm"))
    assert predict(system(model, template), ROWS[:1], template)[0].prediction == "warm"


@pytest.mark.parametrize(
    ("template", "reply", "prediction"),
    [
        (Template(), Reply("Paris\nmore"), "Paris"),
        (Template(), Reply(""), None),
        (CLASSES, Reply("I cannot say"), None),
        (CLASSES, Reply("It is warm"), "warm"),
        (CLASSES, Reply("It is warm", finish_reason="length"), None),
        (Template(reasoning="answer_last"), Reply("so\nAnswer: 1234"), "1234"),
        (Template(reasoning="answer_last"), Reply("so\nAnswer: 12", finish_reason="length"), None),
        (Template(reasoning="answer_last"), Reply("Answer: 7\nand", finish_reason="length"), "7"),
    ],
)
def test_what_is_read_from_a_reply(template: Template, reply: Reply, prediction: str | None) -> None:
    assert predict(system(Scripted(reply), template), ROWS[:1], template)[0].prediction == prediction


def test_shots_decide_where_a_reply_stops() -> None:
    model = Scripted(Reply("a\nb"))
    found = predict(system(model, Template()), ROWS[:1], Template(), shots=[Example("p", "two\nlines")])
    assert (model.stop, found[0].prediction) == ((), "a\nb")


def test_no_rows() -> None:
    assert predict(system(Scripted(), Template()), (), Template()) == []
