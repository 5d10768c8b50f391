"""What an expert prefers, as rankings: of class probabilities, of gold labels, of an agent's samples.

Probabilities come from ``measure/expert_answers``; here nobody is asked anything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from kshot.data.example import LETTERS, Example, normalised
from kshot.data.template import Template
from kshot.errors import DataError
from kshot.measure.overlap import rouge_l
from kshot.methods.panda.records import Candidate, ExpertFacts, Preference

AGAINST_GOLD, FILLED, GOLD_FIRST = "against_gold", "filled", "gold_first"
LOOKED_AT = 5  # of an agent's samples; the released rule looks no further
_OFF_BY = 1e-3  # what probabilities may miss 1 by


def from_probabilities(  # noqa: PLR0913 - a record of six facts
    text: str,
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    expert: ExpertFacts,
    gold: str | None = None,
    names: Mapping[str, str] | Sequence[str] | None = None,
    source: str = "",
) -> Preference:
    """All classes, the most probable first; equal probabilities in the order of the classes.

    Probabilities are kept to six significant digits, and ranked as kept. A top answer that is not the gold
    one is flagged ``against_gold``.

    Args:
        text: What was to be answered.
        labels: C class names, each once.
        probabilities: (C,) in the order of the labels; they sum to 1.
        expert: Who gave them.
        gold: The right label, where it is known.
        names: Label to display name, or C display names; a label without one is shown as it is.
        source: Data set and row.

    Raises:
        DataError: Numbers differ, a label stands twice, a probability is none, or gold is no label.

    Source: arXiv 2402.12835. The release keeps five classes and drops their probabilities; we keep all.

    >>> found = from_probabilities("so good", ("anger", "joy"), (0.2, 0.8), expert=ExpertFacts("classifier"))
    >>> [(candidate.answer, candidate.probability) for candidate in found.candidates]
    [('joy', 0.8), ('anger', 0.2)]
    """
    where = source or f"text {text[:40]!r}"
    shares = _checked(labels, probabilities, where)
    if gold is not None and gold not in labels:
        raise DataError(f"{where}: gold {gold!r} is none of {', '.join(labels)}")
    order = sorted(range(len(labels)), key=lambda place: (-shares[place], place))
    shown = _display_names(labels, names, where)
    candidates = tuple(
        Candidate(labels[place], shown.get(labels[place], ""), shares[place]) for place in order
    )
    return gold_flagged(Preference(text, candidates, expert, gold, source))


def preferences_of(
    rows: Sequence[Example],
    probabilities: Sequence[ArrayLike],
    *,
    template: Template,
    expert: ExpertFacts,
    names: Mapping[str, str] | None = None,
) -> list[Preference]:
    """One preference a row, over the task's labels, or over the letters of the row's choices.

    A row's answer is its gold label; an unlabelled row has none. A choice is shown as its text.

    Args:
        rows: N rows.
        probabilities: N times (C,), in the order of labels or choices.
        template: The task's words: its kind and labels.
        expert: Who gave them.
        names: Label to display name.

    Raises:
        DataError: As ``from_probabilities``, or a row has neither labels nor choices.

    >>> row, template = Example("so good", "joy"), Template(kind="classification", labels=("anger", "joy"))
    >>> preferences_of([row], [(0.9, 0.1)], template=template, expert=ExpertFacts("lm"))[0].flags
    ('against_gold',)
    """
    if len(rows) != len(probabilities):
        raise DataError(f"{len(rows)} rows but {len(probabilities)} rows of probabilities; expected one each")
    found = []
    for number, (row, shares) in enumerate(zip(rows, probabilities, strict=True)):
        labels: tuple[str, ...] = template.labels
        shown: Mapping[str, str] | Sequence[str] | None = names
        if row.choices:
            labels, shown = tuple(LETTERS[: len(row.choices)]), row.choices
        if not labels:
            where = row.source or f"row {number}"
            raise DataError(f"{where}: has no choices and the task has no labels, so nothing can be ranked")
        found.append(
            from_probabilities(
                row.prompt,
                labels,
                shares,
                expert=expert,
                gold=template.gold(row) or None,
                names=shown,
                source=row.source or "",
            )
        )
    return found


def from_gold(
    text: str,
    gold: str,
    *,
    expert_preference: Preference | None = None,
    rival: str | None = None,
    source: str = "",
) -> Preference:
    """The gold answer first; its rival is the expert's likeliest other answer, else ``rival``, else none.

    With an expert, all its other answers follow with their probabilities; the gold answer has none, as a
    label is no probability.

    Args:
        text: What was to be answered.
        gold: The right answer.
        expert_preference: What an expert prefers for the same text.
        rival: As ``rivals_from_confusion`` tells it.
        source: Data set and row; the expert preference's where this is empty.

    Raises:
        DataError: Gold is empty, or the expert's preference is about another text.

    >>> [candidate.answer for candidate in from_gold("so good", "joy", rival="anger").candidates]
    ['joy', 'anger']
    """
    if not gold:
        raise DataError(f"{source or repr(text[:40])}: the gold answer is empty; expected one")
    if expert_preference is None:
        others = (Candidate(rival),) if rival is not None and rival != gold else ()
        return Preference(text, (Candidate(gold), *others), ExpertFacts("gold"), gold, source)
    if expert_preference.text != text:
        raise DataError(
            f"{source or repr(text[:40])}: the expert's preference is about {expert_preference.text[:40]!r}"
        )
    led = gold_led(replace(expert_preference, gold=gold))
    expert = ExpertFacts("gold", expert_preference.expert.id)
    return replace(led, expert=expert, source=source or led.source, flags=())


def from_actions(
    text: str,
    actions: Sequence[str],
    *,
    expert: ExpertFacts,
    valid: Sequence[str] | None = None,
    most: int = 3,
    source: str = "",
) -> Preference:
    """An agent's ranked samples: the distinct valid ones of the best five, at most ``most``.

    Where fewer are left, the valid actions most like the agent's first one (ROUGE-L; ties: the earlier in
    ``valid``) fill up, and the preference is flagged ``filled``. Probabilities are None. Case and blanks do
    not tell actions apart; the spelling of ``valid`` is kept.

    Args:
        text: The trajectory so far.
        actions: Best first; beyond the fifth they are not looked at.
        expert: Who acts.
        valid: What the environment accepts now; None: whatever the agent says.
        most: Candidates at most.
        source: Task, variation and step.

    Raises:
        DataError: No candidate is left, or ``most`` is below 1.

    Source: the release of arXiv 2402.12835, for its Flan-T5 agent with 16 beams.

    >>> agent, valid = ExpertFacts("agent"), ["go out", "go in"]
    >>> found = from_actions("a lab", ["go out", "fly"], expert=agent, valid=valid)
    >>> [candidate.answer for candidate in found.candidates], found.flags
    (['go out', 'go in'], ('filled',))
    """
    if most < 1:
        raise DataError(f"most is {most}, expected at least one candidate")
    spelled = None if valid is None else {normalised(action): action for action in reversed(valid)}
    kept: dict[str, str] = {}
    for action in actions[:LOOKED_AT]:
        form = normalised(action)
        if form and (spelled is None or form in spelled):
            kept.setdefault(form, action.strip() if spelled is None else spelled[form])
    own = list(kept.values())[:most]
    filling: list[str] = []
    if spelled is not None and len(own) < most and actions:
        rest = [spelled[form] for form in dict.fromkeys(map(normalised, valid or ())) if form not in kept]
        filling = sorted(rest, key=lambda action: -rouge_l(action, actions[0]))[: most - len(own)]
    if not own and not filling:
        raise DataError(f"{source or repr(text[:40])}: none of {len(actions)} actions can be ranked")
    candidates = tuple(Candidate(action) for action in [*own, *filling])
    return Preference(text, candidates, expert, source=source, flags=(FILLED,) if filling else ())


def rivals_from_confusion(
    gold: Sequence[str], predicted: Sequence[str | None], labels: Sequence[str]
) -> dict[str, str]:
    """For each class the one that is most often answered in its place, on shots; ties: the earlier class.

    A class that is never confused has no entry. Answers that are no label are left out.

    Raises:
        DataError: Numbers differ.

    >>> rivals_from_confusion(["joy", "joy", "anger"], ["calm", "joy", None], ("anger", "calm", "joy"))
    {'joy': 'calm'}
    """
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} gold labels but {len(predicted)} predictions; expected one each")
    counts = Counter(zip(gold, predicted, strict=True))
    found = {}
    for label in labels:
        rivals = [other for other in labels if other != label and counts[label, other]]
        if rivals:
            found[label] = max(rivals, key=lambda other: counts[label, other])  # the first of equals
    return found


def gold_flagged(preference: Preference) -> Preference:
    """The preference with the flag ``against_gold`` exactly where its top answer is not the gold one.

    >>> wrong = Preference("t", (Candidate("a"), Candidate("b")), ExpertFacts("lm"), gold="b")
    >>> gold_flagged(wrong).flags
    ('against_gold',)
    """
    others = tuple(flag for flag in preference.flags if flag != AGAINST_GOLD)
    wrong = preference.gold is not None and preference.top.answer != preference.gold
    return replace(preference, flags=(*others, AGAINST_GOLD) if wrong else others)


def gold_led(preference: Preference) -> Preference:
    """Gold first without a probability, then the expert's other answers in its order; ``gold_first``.

    Raises:
        DataError: There is no gold answer.

    >>> wrong = Preference("t", (Candidate("a"), Candidate("b")), ExpertFacts("lm"), gold="b")
    >>> [candidate.answer for candidate in gold_led(wrong).candidates]
    ['b', 'a']
    """
    if preference.gold is None:
        raise DataError(f"{preference.source or repr(preference.text[:40])}: has no gold answer to put first")
    same = [c for c in preference.candidates if c.answer == preference.gold]
    rest = [c for c in preference.candidates if c.answer != preference.gold]
    first = Candidate(preference.gold, same[0].name if same else "")
    flags = (*(flag for flag in preference.flags if flag not in (AGAINST_GOLD, GOLD_FIRST)), GOLD_FIRST)
    return replace(preference, candidates=(first, *rest), flags=flags)


def _display_names(
    labels: Sequence[str], names: Mapping[str, str] | Sequence[str] | None, where: str
) -> Mapping[str, str]:
    if names is None or isinstance(names, Mapping):
        return names or {}
    if len(names) != len(labels):
        raise DataError(f"{where}: {len(labels)} labels but {len(names)} display names; expected one each")
    return dict(zip(labels, names, strict=True))


def _checked(labels: Sequence[str], probabilities: ArrayLike, where: str) -> list[float]:
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.shape != (len(labels),) or not len(labels):
        raise DataError(f"{where}: {len(labels)} labels but probabilities of shape {shares.shape}")
    if len(set(labels)) < len(labels):
        raise DataError(f"{where}: labels {list(labels)[:6]} name one twice")
    if not np.isfinite(shares).all() or (shares < 0).any() or abs(math.fsum(shares) - 1) > _OFF_BY:
        raise DataError(f"{where}: {shares.tolist()[:6]} are no probabilities; expected 0 to 1, summing to 1")
    return [float(f"{share:.6g}") for share in shares.tolist()]
