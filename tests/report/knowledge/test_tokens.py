"""Coloured tokens: the gates told in colour, in letters and in words; text that cannot break out."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.knowledge import RouterFacts, TokenFacts
from kshot.report.knowledge.letters import letter
from kshot.report.knowledge.tokens import MOST_TOKENS, direction, gradient, mean_gates, token_views


def facts(pieces, gates, **more):
    names = tuple(f"expert {place}" for place in range(len(gates[0]))) if gates else ()
    tokens = TokenFacts(pieces=tuple(pieces), gates=tuple(map(tuple, gates)), **more)
    return RouterFacts(modules=(), experts=names, load=(), tokens=tokens)


def test_a_token_is_told_without_colour():
    first, second, third = token_views(facts(["the", " mason", "\n"], [[0.2, 0.8], [0.3, 0.7], [0.9, 0.1]]))
    assert first.title == "B expert 1 80.0 %, A expert 0 20.0 %"
    assert [view.mark for view in (first, second, third)] == ["B", "", "A"]  # where the lead changes
    assert (second.text, second.breaks) == (" mason", False)
    assert (third.text, third.breaks) == ("↵", True)
    assert (first.tone, third.tone) == ("--expb", "--expa")


def test_the_colour_is_deeper_the_further_an_expert_leads():
    views = token_views(facts(["a", "b", "c"], [[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]))
    assert [view.strength for view in views] == [0, 50, 100]
    assert token_views(facts(["a"], [[1.0]]))[0].strength == 100


@pytest.mark.parametrize("gates", [[math.nan, math.nan], [0.0, 0.0]])
def test_gates_that_are_no_numbers_give_a_plain_token(gates):
    view = token_views(facts(["a"], [gates]))[0]
    assert (view.tone, view.strength, view.bar, view.mark, view.title) == ("--muted", 0, "", "", "no gates")


def test_the_answer_begins_where_it_begins():
    views = token_views(facts(["a", "b", "c"], [[1.0]] * 3, target_from=1))
    assert [view.answer for view in views] == [False, True, True]
    assert not any(view.answer for view in token_views(facts(["a"], [[1.0]])))


def test_hidden_characters_are_seen_and_long_tokens_cut():
    views = token_views(facts(["\u202e", "\x00", "a\r\nb", "\t", "", "x" * 999, "\ud800"], [[1.0]] * 7))
    assert [view.text for view in views[:5]] == ["⟨202E⟩", "⟨0⟩", "a↵b", "⇥", ""]
    assert len(views[5].text) == 60
    assert views[6].text == "⟨D800⟩"


def test_long_texts_are_cut():
    assert len(token_views(facts(["a"] * (MOST_TOKENS + 5), [[1.0]] * (MOST_TOKENS + 5)))) == MOST_TOKENS
    assert token_views(RouterFacts(modules=(), experts=(), load=())) == ()
    assert token_views(facts([], [])) == ()


@given(st.lists(st.floats(allow_nan=True), max_size=12))
def test_a_bar_is_made_of_figures_and_our_names_alone(gates):
    bar = gradient(gates)
    assert re.fullmatch(r"(linear-gradient\(90deg(,var\(--exp[a-h]\) \d+\.\d% \d+\.\d%)+\))?", bar)
    if bar:
        assert bar.endswith(" 100.0%)")


def test_means_leave_out_what_is_no_number():
    tokens = TokenFacts(pieces=("a", "b"), gates=((0.25, 0.75), (math.nan, 1.0)))
    assert mean_gates(tokens, 2) == (0.25, 0.75)
    assert mean_gates(TokenFacts(pieces=(), gates=()), 2) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("pieces", "way"),
    [(["1. ", "שלום", "a"], "rtl"), (["مرحبا"], "rtl"), (["a", "שלום"], "ltr"), ([], "ltr")],
)
def test_the_text_runs_as_its_first_letter_does(pieces, way):
    assert direction(pieces) == way


@given(st.integers(0, 20_000))
def test_letters_are_as_many_as_places(place):
    value = 0
    for character in letter(place):
        value = value * 26 + ord(character) - ord("A") + 1
    assert value == place + 1
