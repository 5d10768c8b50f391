"""What a mix may be asked for, and what is refused before anything is opened."""

from __future__ import annotations

import pytest

from kshot.data.example import Example
from kshot.errors import InputError
from kshot.pipeline.mix import MixJob, Weighing
from kshot.pipeline.mix.job import parsed_weights

SHOTS = (Example("2 + 2", "4"),)


def test_members_are_the_base_then_models_then_the_fine_tuned() -> None:
    job = MixJob(("a", "b"), base="x", fine_tuned="t", alpha=0.3, weights=(0.5, 0.5))
    assert job.named == ("x", "a", "b", "t")
    assert job.peers == 3
    assert job.by_hand() == (0.0, 0.5, 0.5)  # a base named apart gives layout alone


def test_a_base_among_the_models_is_counted_once() -> None:
    job = MixJob(("a", "b"), base="b", weights=(0.4, 0.6))
    assert job.named == ("a", "b")
    assert job.by_hand() == (0.4, 0.6)


def test_one_weight_more_is_the_bases_own() -> None:
    assert MixJob(("a",), base="x", weights=(0.4, 0.6)).by_hand() == (0.4, 0.6)


def test_a_base_alone_needs_no_examples() -> None:
    job = MixJob((), base="x", fine_tuned="t", alpha=0.5)
    assert not job.needs_examples
    assert job.by_hand() == (1.0,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": ()}, "no model to mix"),
        ({"models": ("a", "b")}, "give --examples FILE"),
        ({"models": ("a",), "fine_tuned": "t", "weights": (1.0,)}, "give both, or neither"),
        ({"models": ("a",), "alpha": 0.5, "weights": (1.0,)}, "give both, or neither"),
        ({"models": ("a",), "fine_tuned": "t", "alpha": 1.5}, "from 0 to 1"),
        ({"models": ("a",), "fine_tuned": "t", "alpha": float("nan")}, "from 0 to 1"),
        ({"models": ("a",), "fine_tuned": "t", "alpha": "auto"}, "--general FILE"),
        ({"models": (), "fine_tuned": "t", "alpha": 0.5}, "give --base FOLDER"),
        ({"models": ("a", "b"), "weights": (0.5, 0.5), "rank": 4}, "--adapter"),
        ({"models": ("a", "b"), "examples": SHOTS, "operation": "ties"}, "weights by hand"),
        ({"models": ("a", "b"), "weights": (1.0, 0.0), "adapter": True, "dtype": "float32"}, "--dtype"),
        (
            {
                "models": ("a", "b"),
                "weights": (1.0, 0.0),
                "adapter": True,
                "layer_weights": (("a", (1.0, 0.0)),),
            },
            "--layer",
        ),
    ],
)
def test_refused(options, words) -> None:
    with pytest.raises(InputError, match=words):
        MixJob(**options)


def test_examples_that_serve_nothing_are_told() -> None:
    by_hand = MixJob(("a", "b"), weights=(0.5, 0.5), examples=SHOTS, general=SHOTS)
    assert ["examples were not used" in each for each in by_hand.unused] == [True, True]
    assert MixJob(("a", "b"), examples=SHOTS).unused == ()
    swept = MixJob(("a",), fine_tuned="t", alpha="auto", weights=(1.0,), examples=SHOTS, general=SHOTS)
    assert swept.unused == ()


def test_equal_weights_need_no_examples_but_take_them() -> None:
    even = Weighing("uniform")
    assert not MixJob(("a", "b"), weighing=even).weighs
    assert MixJob(("a", "b"), weighing=even, examples=SHOTS).weighs


@pytest.mark.parametrize("name", ["batch_size", "evaluations"])
def test_counts_are_at_least_one(name) -> None:
    with pytest.raises(InputError, match=f"{name} is 0"):
        Weighing(**{name: 0})


def test_too_few_weights_are_counted() -> None:
    with pytest.raises(InputError, match="has 1 numbers for 3 models; give one for each"):
        MixJob(("a", "b", "c"), weights=(1.0,)).by_hand()


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf")])
def test_a_temperature_is_above_zero(temperature) -> None:
    with pytest.raises(InputError, match="above 0"):
        Weighing(temperature=temperature)


@pytest.mark.parametrize("text", ["", "0.5;0.5", "nan,1", "inf", "half", "0.5,"])
def test_weights_that_are_none(text) -> None:
    with pytest.raises(InputError, match="--weights"):
        parsed_weights(text)


def test_a_seed_is_no_negative_number() -> None:
    with pytest.raises(InputError, match="seed is -1"):
        Weighing(seed=-1)
