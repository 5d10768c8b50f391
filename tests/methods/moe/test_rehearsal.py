"""What an expert says again: made-up prompts that it answers as surely as those it is known to know."""

from dataclasses import replace

import numpy as np
import pytest

from kshot.data.example import Example
from kshot.data.template import Template
from kshot.errors import InputError
from kshot.methods.moe.rehearsal import FEWEST, Budget, rehearse
from kshot.models.base import Reply, TokenLosses

WORDS = [f"w{n}" for n in range(40)]
KNOWN = {word: word.upper() for word in WORDS[:12]}
SHOWN = WORDS[:6]  # of the known words, those that labelled rows hold


class Words:
    """Prompts as words; a token is a word's number."""

    exchangeable = tuple(range(len(WORDS)))

    def split(self, text):
        return [WORDS.index(word) for word in text.split()]

    def join(self, tokens):
        return " ".join(WORDS[token] for token in tokens)


class Expert:
    """Translates the words it knows surely, the others by a guess that it holds likely."""

    id = "expert"

    def __init__(self, known=KNOWN):
        self.known, self.asked = known, []

    def generate(self, conversations, *, max_new_tokens=64, temperature=0.0, seed=0, stop=()):
        prompts = [conversation[-1].content for conversation in conversations]
        self.asked += prompts
        return [Reply(" ".join(self.known.get(word, "GUESS") for word in p.split())) for p in prompts]

    def token_losses(self, conversations, targets):
        found = []
        for conversation, target in zip(conversations, targets, strict=True):
            asked, told = conversation[-1].content.split(), target.text.split()
            nats = [
                0.001 if self.known.get(word) == answer else 0.3 if answer == "GUESS" else 5.0
                for word, answer in zip(asked, told, strict=True)
            ]
            mask = np.array([True] * len(nats) + [False])
            found.append(TokenLosses(np.array([*nats, 9.0], np.float32), mask, ~mask))
        return found


def labelled(words=SHOWN, known=KNOWN):
    """Rows of two words each, told right."""
    pairs = [(a, b) for a in words for b in words if a < b]
    return [Example(f"{a} {b}", f"{known.get(a, 'X')} {known.get(b, 'X')}") for a, b in pairs]


def test_it_finds_what_no_row_holds():
    found = rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(800))
    words = {word for row in found.rows for word in row.prompt.split()}
    assert words == set(KNOWN)  # nothing that it only guesses, and all that it knows
    assert all(row.answer == row.prompt.upper() for row in found.rows)
    assert found.known == len(labelled())
    assert found.threshold == pytest.approx(0.001)


def test_made_up_prompts_are_new_and_say_what_they_are():
    rows = labelled()
    found = rehearse(Expert(), rows, Template(), pieces=Words(), budget=Budget(400))
    prompts = [row.prompt for row in found.rows]
    assert len(set(prompts)) == len(prompts)
    assert not set(prompts) & {row.prompt for row in rows}
    assert {row.source for row in found.rows} == {"rehearsal"}
    assert found.asked <= 400 + 8


def test_the_seed_decides_what_is_made_up():
    def once(seed):
        return rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(200), seed=seed).rows

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_an_expert_that_knows_next_to_nothing_is_not_asked():
    expert = Expert({"w0": "W0", "w1": "W1"})
    found = rehearse(expert, labelled(), Template(), pieces=Words(), budget=Budget(200))
    assert found.rows == ()
    assert found.known < FEWEST
    assert expert.asked == []


LETTERED = Example("w0 w1", "A", choices=("A", "B"))


@pytest.mark.parametrize("rows", [[], [Example("w0 w1", "")], [LETTERED] * 9])
def test_rows_without_a_free_answer_are_passed_over(rows):
    found = rehearse(Expert(), rows, Template(), pieces=Words(), budget=Budget(200))
    assert (found.rows, found.known, found.asked) == ((), 0, 0)


def test_no_proposals_are_no_rows():
    assert rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(0)).asked == 0
    for numbers in ((-1,), (1, -1), (1, None, 0)):
        with pytest.raises(InputError, match="expected no negative number"):
            Budget(*numbers)


def test_of_more_rows_than_wanted_the_last_are_kept():
    every = rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(800)).rows
    some = rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(800, 20)).rows
    assert some == every[-20:]
    assert rehearse(Expert(), labelled(), Template(), pieces=Words(), budget=Budget(800, 0)).rows == ()


def test_an_answer_that_was_cut_is_none():
    class Cut(Expert):
        def generate(self, conversations, **how):
            return [replace(r, finish_reason="length") for r in super().generate(conversations, **how)]

    found = rehearse(Cut(), labelled(), Template(), pieces=Words(), budget=Budget(80))
    assert found.asked > 0
    assert found.rows == ()


def test_answers_that_follow_their_reasoning_are_not_rehearsed():
    expert = Expert()
    template = Template(reasoning="answer_last")
    assert rehearse(expert, labelled(), template, pieces=Words(), budget=Budget(80)).asked == 0


def test_where_every_prompt_was_made_up_it_ends():
    few = {word: word.upper() for word in WORDS[:4]}

    class Few(Words):
        exchangeable = tuple(range(4))

    found = rehearse(Expert(few), labelled(WORDS[:4], few), Template(), pieces=Few(), budget=Budget(2_000))
    assert found.asked <= 4 * 4  # two words of four
