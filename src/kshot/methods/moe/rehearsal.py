"""What only an expert knows, said once more: made-up prompts that it answers surely, for joint training.

Open data holds nothing of what the experts alone know, so training on it overwrites just that. Before the
training each expert is asked prompts like those that it is known to answer right, pieces of them exchanged;
what it answers as surely as those is learned along. Old knowledge is kept by rehearsal, without old data.

Source: pseudo-rehearsal (Robins 1995, Connection Science 7); arXiv 2408.15915 trains without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from kshot.data.example import Example
from kshot.data.template import Target, Template
from kshot.errors import InputError
from kshot.measure.scores import Expert

Doubles: TypeAlias = NDArray[np.float64]

FEWEST = 5  # known rows from which an expert is rehearsed
ROUNDS = 8
_SHARPNESS = 3.0


class Pieces(Protocol):
    """What prompts are made of: the tokens of a model."""

    def split(self, text: str) -> list[int]:
        """The tokens of a text, nothing added."""
        ...

    def join(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""
        ...

    @property
    def exchangeable(self) -> Sequence[int]:
        """Every token that may stand in a prompt, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What one expert says again.

    Attributes:
        rows: Made-up prompts with the expert's answers, without reasoning; ``source`` says so. Of more than
            the budget the last ones, which hold most of what only the expert knows.
        known: Rows that it is known to answer right.
        asked: Prompts that were made up and asked.
        threshold: Nats of the least sure token up to which an answer counts: the median over known rows.
    """

    rows: tuple[Example, ...]
    known: int
    asked: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What a rehearsal may cost.

    Attributes:
        proposals: How many prompts are made up, at most.
        rows: How many are kept, at most; None: all that are answered surely.
        max_new_tokens: How long an answer may be; longer ones do not count.

    Raises:
        InputError: A number is out of range.
    """

    proposals: int = 4000
    rows: int | None = None
    max_new_tokens: int = 64

    def __post_init__(self) -> None:
        if self.proposals < 0 or (self.rows is not None and self.rows < 0) or self.max_new_tokens < 1:
            raise InputError(f"rehearsal: {self}, expected no negative number")


def rehearse(
    expert: Expert,
    rows: Sequence[Example],
    template: Template,
    *,
    pieces: Pieces,
    budget: Budget | None = None,
    seed: int = 0,
) -> Rehearsal:
    """Rows that the expert answers as surely as those it answers right.

    Known rows are those where every token of the answer is likelier than all others together. In the first
    half of the rounds one piece of a known prompt is exchanged for any token of the vocabulary; in the
    second half several are, for tokens that stood in surely answered prompts. An expert that knows fewer
    than five of the rows has nothing to rehearse; nor has a task whose answers follow their reasoning.

    Args:
        expert: Who is asked, greedily.
        rows: Labelled rows of the task, such as shots and chosen data.
        template: The task's words; rows with choices are passed over.
        pieces: How prompts are taken apart.
        budget: How many prompts, how many rows, how long an answer.
        seed: Of what is exchanged for what.

    Example::

        made_up = rehearse(model.adapted(folder), shots + data, template, pieces=tokens).rows
    """
    budget = budget or Budget()
    known, threshold = _known(expert, [row for row in rows if not row.choices and row.answer], template)
    if len(known) < FEWEST or not budget.proposals or template.reasoning == "answer_last":
        return Rehearsal((), len(known), 0, threshold)
    chain = _Chain(known, pieces, np.random.default_rng(seed))
    kept: list[Example] = []
    asked = 0
    for turn in range(ROUNDS):
        made = chain.propose(-(-budget.proposals // ROUNDS), bold=2 * turn >= ROUNDS)
        found, nats = _answers(expert, [row for row, _ in made], template, budget.max_new_tokens)
        sure = nats <= threshold
        chain.learn([tokens for _, tokens in made], sure)
        kept += [row for row, fine in zip(found, sure, strict=True) if fine]
        asked += len(made)
    most = len(kept) if budget.rows is None else budget.rows
    return Rehearsal(tuple(kept[len(kept) - min(most, len(kept)) :]), len(known), asked, threshold)


@final
class _Chain:
    """Prompts near the known ones, and how often each token stood in a surely answered one."""

    def __init__(self, known: Sequence[Example], pieces: Pieces, rng: np.random.Generator) -> None:
        self._known = [(row, pieces.split(row.prompt)) for row in known]
        self._pieces, self._rng = pieces, rng
        self._seen = {row.prompt for row in known}
        self._tokens = list(pieces.exchangeable)
        self._at = {token: at for at, token in enumerate(self._tokens)}
        self._sure = np.zeros(len(self._tokens))
        self._tried = np.zeros(len(self._tokens))
        for _, tokens in self._known:
            self._count(tokens, sure=True)

    def propose(self, count: int, *, bold: bool) -> list[tuple[Example, list[int]]]:
        """New prompts with the tokens that were put in; fewer than asked where no new ones are found."""
        trust = ((self._sure + 0.5) / (self._tried + 1)) ** _SHARPNESS
        trust /= trust.sum()
        made: list[tuple[Example, list[int]]] = []
        for _ in range(4 * count):
            row, tokens = self._known[self._rng.integers(len(self._known))]
            if len(made) == count or not tokens:
                break
            several = int(self._rng.integers(1, len(tokens) + 1)) if bold else 1
            places = self._rng.choice(len(tokens), several, replace=False)
            new = self._rng.choice(len(self._tokens), several, p=trust if bold else None)
            put_in = [self._tokens[at] for at in new]
            changed = list(tokens)
            for place, token in zip(places, put_in, strict=True):
                changed[place] = token
            prompt = self._pieces.join(changed)
            if prompt.strip() and prompt not in self._seen:
                self._seen.add(prompt)
                made.append((replace(row, prompt=prompt), put_in))
        return made

    def learn(self, put_in: Sequence[Sequence[int]], sure: NDArray[np.bool_]) -> None:
        """Which proposals were answered surely."""
        for tokens, fine in zip(put_in, sure, strict=True):
            self._count(tokens, sure=bool(fine))

    def _count(self, tokens: Sequence[int], *, sure: bool) -> None:
        for token in tokens:
            if token in self._at:
                self._tried[self._at[token]] += 1
                self._sure[self._at[token]] += sure


def _known(expert: Expert, rows: Sequence[Example], template: Template) -> tuple[list[Example], float]:
    nats = _least_sure(expert, rows, template)
    right = nats < np.log(2)
    threshold = float(np.median(nats[right])) if right.any() else 0.0
    return [row for row, fine in zip(rows, right, strict=True) if fine], threshold


def _answers(
    expert: Expert, rows: Sequence[Example], template: Template, longest: int
) -> tuple[list[Example], Doubles]:
    """The rows with the expert's answers, and how sure it is of each.

    Infinity where it states none, or where the answer was cut at its longest.
    """
    asked = [template.conversation(row) for row in rows]
    replies = expert.generate(asked, max_new_tokens=longest, stop=template.stop(rows))
    several = not template.stop(rows)
    stated = [template.answer_in(reply.text, multiline=several) for reply in replies]
    told = [
        replace(row, answer=answer or "", reasoning=None, source="rehearsal")
        for row, answer in zip(rows, stated, strict=True)
    ]
    nats = np.full(len(rows), np.inf)
    some = [at for at, row in enumerate(told) if row.answer and replies[at].finish_reason != "length"]
    nats[some] = _least_sure(expert, [told[at] for at in some], template)
    return told, nats


def _least_sure(expert: Expert, rows: Sequence[Example], template: Template) -> Doubles:
    """(N,) nats of the least sure token of each answer."""
    targets = [Target(row.answer, (0, len(row.answer))) for row in rows]
    losses = expert.token_losses([template.conversation(row) for row in rows], targets)
    return np.array([float(loss.nats[loss.answer].max(initial=0.0)) for loss in losses])
