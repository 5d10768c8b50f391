"""Every setting is checked when it is given."""

import pytest

from kshot.errors import ModelError
from kshot.methods.moe import MixtureSettings


def test_defaults_are_the_papers():
    made = MixtureSettings()
    assert (made.top_k, made.gates, made.train, made.normalise, made.balance, made.noise) == (
        2, "token", "joint", True, 0.0, 0.0
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "gates", "normalise"),
    [
        ({"train": "router"}, "token", True),
        ({"train": "static"}, "static", True),
        ({"gates": "static"}, "static", True),
        ({"gates": "static", "normalise": False}, "static", False),
        ({"top_k": 1}, "token", False),
        ({"top_k": 1, "train": "static"}, "static", True),
        ({"top_k": 1, "normalise": True}, "token", True),
    ],
)
def test_what_is_not_given_follows_from_the_rest(options, gates, normalise):
    made = MixtureSettings(**options)
    assert (made.gates, made.normalise) == (gates, normalise)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k is 0, expected a whole number from 1"),
        ({"top_k": True}, "top_k is True"),
        ({"top_k": 2.0}, "top_k is 2.0"),
        ({"gates": "soft"}, "gates is 'soft', expected one of token, static"),
        ({"train": "all"}, "train is 'all', expected one of joint, router, static"),
        ({"train": "static", "gates": "token"}, "give gates='static', or train='router'"),
        ({"scores": "cosine"}, "scores is 'cosine'"),
        ({"balance_kind": "sum"}, "balance_kind is 'sum'"),
        ({"dispatch": "fast"}, "dispatch is 'fast'"),
        ({"balance": -1}, "balance is -1, expected a number from 0"),
        ({"balance": "much"}, "balance is 'much'"),
        ({"normalise": "yes"}, "normalise is 'yes', expected true or false"),
        ({"scaled": None}, "scaled is None"),
        ({"noise": float("nan")}, "noise is nan"),
        ({"noise": float("inf")}, "noise is inf"),
        ({"dropout": 1.0}, "dropout is 1.0, expected a share below 1"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ModelError, match=message):
        MixtureSettings(**options)
