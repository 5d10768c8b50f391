"""The obvious systems, on shots small enough to check by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.data.example import Conversation, Example
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.methods import baselines
from kshot.models.base import Classifier, Floats, LanguageModel, Reply


class Angles:
    """An embedder that reads its texts as degrees."""

    id = "angles"
    dim = 2

    def encode(self, texts: Sequence[str]) -> Floats:
        radians = np.deg2rad([float(text) for text in texts])
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32).reshape(-1, 2)


class Silent:
    """A language model that is never asked."""

    id = "silent"

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        raise AssertionError


TEMPLATE = Template(instruction="Which side?", kind="classification", labels=("left", "right"))
SHOTS = (
    Example("0", "right"),
    Example("10", "right"),
    Example("180", "left"),
    Example("190", "left"),
    Example("20", "left"),
)


def labels_of(model: LanguageModel | Classifier, texts: Sequence[str]) -> list[str]:
    assert isinstance(model, Classifier)
    shares = model.predict_proba(texts)
    assert np.allclose(shares.sum(axis=1), 1)
    return [model.labels[i] for i in shares.argmax(axis=1)]


def test_majority_takes_the_most_frequent_and_the_earlier_label_on_a_tie() -> None:
    assert labels_of(baselines.majority(SHOTS, TEMPLATE).model, ["5", "200"]) == ["left", "left"]
    assert labels_of(baselines.majority(SHOTS[:4], TEMPLATE).model, ["5"]) == ["left"]
    assert baselines.majority(SHOTS[:1], TEMPLATE).note == "always 'right'"


def test_nearest_shot_repeats_its_answer() -> None:
    system = baselines.nearest_answer(SHOTS, TEMPLATE, embedder=Angles())
    assert labels_of(system.model, ["3", "14", "16", "170"]) == ["right", "right", "left", "left"]


def test_nearest_shot_ties_go_to_the_earlier_shot() -> None:
    shots = (Example("0", "right"), Example("0", "left"))
    assert labels_of(baselines.nearest_answer(shots, TEMPLATE, embedder=Angles()).model, ["0"]) == ["right"]


def test_nearest_answer_works_without_labels() -> None:
    shots = (Example("0", "four words are here"), Example("90", "other"))
    model = baselines.nearest_answer(shots, Template(), embedder=Angles()).model
    assert labels_of(model, ["80", "1"]) == ["other", "four words are here"]


@given(st.permutations(range(5)), st.integers(1, 7))
def test_votes_do_not_depend_on_the_order_of_shots(order: list[int], k: int) -> None:
    texts = ["3", "47", "100", "181", "262"]
    given_order = baselines.nearest_answer(SHOTS, TEMPLATE, embedder=Angles(), k=k).model
    permuted = baselines.nearest_answer([SHOTS[i] for i in order], TEMPLATE, embedder=Angles(), k=k).model
    assert isinstance(given_order, Classifier)
    assert isinstance(permuted, Classifier)
    assert np.allclose(given_order.predict_proba(texts), permuted.predict_proba(texts), atol=1e-6)


def test_shots_stand_in_the_prompt_as_turns_in_draw_order() -> None:
    system = baselines.shots_in_prompt(Silent(), SHOTS[:2], TEMPLATE, fits=lambda conversation: True)
    turns = [(turn.role, turn.content) for turn in system.prompt(Example("7", ""))]
    assert turns[1:] == [
        ("user", "0"),
        ("assistant", "right"),
        ("user", "10"),
        ("assistant", "right"),
        ("user", "7"),
    ]
    assert turns[0][0] == "system"
    assert "left, right" in turns[0][1]


def test_as_many_shots_as_fit() -> None:
    system = baselines.shots_in_prompt(
        Silent(), SHOTS, TEMPLATE, fits=lambda conversation: len(conversation) <= 6
    )
    assert [turn.content for turn in system.prompt(Example("7", ""))][1:] == [
        "0",
        "right",
        "10",
        "right",
        "7",
    ]
    assert system.note == "2 of 5 shots as earlier turns"
    with pytest.raises(DataError, match="not even one shot fits"):
        baselines.shots_in_prompt(Silent(), SHOTS, TEMPLATE, fits=lambda conversation: False)


def test_nearest_shots_stand_in_the_prompt_nearest_last() -> None:
    system = baselines.nearest_in_prompt(Silent(), SHOTS, TEMPLATE, embedder=Angles(), k=3)
    assert [turn.content for turn in system.prompt(Example("2", ""))][1::2] == ["20", "10", "0", "2"]


def test_best_on_shots_breaks_ties_by_loss_then_name() -> None:
    right = np.array([[1, 0], [1, 1], [1, 1], [1, 1]], bool)
    losses = np.array([[0.1, 0.1], [0.9, 0.9], [0.5, 0.5], [0.5, 0.5]])
    assert baselines.best_on_shots(["a", "b", "d", "c"], right, losses) == 3
    with pytest.raises(DataError, match="no usable adapter"):
        baselines.best_on_shots([], np.zeros((0, 2)), np.zeros((0, 2)))


def test_no_shots_is_an_error() -> None:
    with pytest.raises(DataError, match="no shots"):
        baselines.majority((), TEMPLATE)


def test_a_long_row_gets_fewer_shots() -> None:
    def fits(conversation: Conversation) -> bool:
        return len(conversation) <= (4 if conversation[-1].content == "long" else 8)

    system = baselines.shots_in_prompt(Silent(), SHOTS[:3], TEMPLATE, fits=fits)
    assert len(system.prompt(Example("short", ""))) == 8
    assert len(system.prompt(Example("long", ""))) == 4
