"""Which answer a reply states: the required form, then log-probabilities, then a careful look at its end."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from kshot.data.example import LETTERS, normalised
from kshot.data.template import ANSWER_CUE, Template
from kshot.measure.metrics import extract_choice, extract_label
from kshot.models.base import Reply

_MARKS = "\"'`*‘’“”.,;:!?()[] "
_LEADING_CUE = re.compile(rf"(?i)\A\W*{re.escape(ANSWER_CUE)}[*`]*\s*")
_SHORTEST_PIECE = 3  # characters: "an" begins "anger", and is more often the article


def read_answer(
    reply: Reply, template: Template, *, shown: Sequence[str] = (), multiline: bool = False
) -> str | None:
    """The answer as ``Template.gold`` has it, or None: the reply is invalid.

    In this order: (1) the required form: the answer alone, a JSON object, or the last line that begins
    ``Answer:``, with exactly one valid label or index; (2) the log-probabilities of the first token, where
    they were asked for and the answer stands first; (3) exactly one label in the last non-empty line, not
    negated. A reply cut by the limit states an answer in the required form alone, and none at all where the
    answer was to follow the reasoning.

    Args:
        reply: What came back.
        template: Its ``reasoning`` says where the answer stands.
        shown: The labels' names as the prompt has them; the labels themselves if empty.
        multiline: Whether free answers may span lines.

    >>> task = Template(kind="classification", labels=("negative", "neutral", "positive"))
    >>> [read_answer(Reply(text), task) for text in ("2", "not negative, so 2", "10", "")]
    ['positive', 'positive', None, None]
    """
    if reply.finish_reason == "error":
        return None
    if template.reasoning == "answer_last" and reply.finish_reason == "length":
        return None
    if template.kind == "classification" and template.labels:
        return _label(reply, template, tuple(shown) or template.labels)
    if template.kind == "choice":
        return _choice(reply, template)
    return _free(reply.text, template, multiline=multiline)


def likeliest(logprobs: Sequence[tuple[str, float]], names: Sequence[str]) -> int | None:
    """Which name the first tokens of a reply argue for, or None: no token belongs to one name alone.

    A token counts for a name that it equals (but for case and marks), whose index it is, or that it begins,
    with three characters or more, where it begins no other. Probabilities of the same name add up. Ties: the
    earlier name.

    >>> likeliest([(" pos", -0.5), ("Neg", -1.5), ("The", -2.0)], ["negative", "neutral", "positive"])
    2
    """
    shares = [0.0] * len(names)
    for token, logprob in logprobs:
        place = _place(token, names)
        if place is not None:
            shares[place] += math.exp(logprob)
    return max(range(len(names)), key=lambda i: shares[i]) if any(shares) else None


def _place(token: str, names: Sequence[str]) -> int | None:
    said = normalised(token)
    forms = [normalised(name) for name in names]
    for word in (said, said.strip(_MARKS)):
        if word in forms:
            return forms.index(word)
        if re.fullmatch(r"0|[1-9][0-9]{0,5}", word) and int(word) < len(names):
            return None if any(re.fullmatch(r"[+-]?\d+", form) for form in forms) else int(word)
    begun = [i for i, form in enumerate(forms) if len(said) >= _SHORTEST_PIECE and form.startswith(said)]
    return begun[0] if len(begun) == 1 else None


def _label(reply: Reply, template: Template, shown: tuple[str, ...]) -> str | None:
    stated = extract_label(reply.text, shown, cut=True)  # a JSON object or an answer line
    if stated is None and template.reasoning != "answer_last":
        place = _alone(reply.text, shown)
        if place is None and reply.logprobs:
            place = likeliest(reply.logprobs, shown)
        stated = None if place is None else shown[place]
    if stated is None:
        stated = extract_label(reply.text, shown, cut=reply.finish_reason == "length")
    return None if stated is None else template.labels[shown.index(stated)]


def _alone(text: str, names: Sequence[str]) -> int | None:
    """The label that a line is, where it is nothing else; the first line, as reasoning may follow."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    place = _place(line, names)
    return place if place is not None and _is_whole(line, names, place) else None


def _is_whole(line: str, names: Sequence[str], place: int) -> bool:
    words = (normalised(line), normalised(line).strip(_MARKS))
    return normalised(names[place]) in words or str(place) in words


def _choice(reply: Reply, template: Template) -> str | None:
    if template.reasoning == "answer_last":
        stated = template.answer_in(reply.text)
        lines = [line for line in reply.text.splitlines() if line.strip()]
        return extract_choice(f"{ANSWER_CUE} {stated}" if stated else lines[-1] if lines else "")
    bare = reply.text.strip().strip(_MARKS)
    if len(bare) == 1 and bare.upper() in LETTERS:
        return bare.upper()
    if reply.logprobs:
        letters = [(token.strip(), logprob) for token, logprob in reply.logprobs]
        letters = [pair for pair in letters if len(pair[0]) == 1 and pair[0].isalpha()]
        if (place := likeliest(letters, LETTERS)) is not None:
            return LETTERS[place]
    return extract_choice(reply.text)


def _free(text: str, template: Template, *, multiline: bool) -> str | None:
    if template.reasoning != "answer_last":
        return template.answer_in(_LEADING_CUE.sub("", text), multiline=multiline)
    if not multiline:
        return template.answer_in(text)
    stated = list(re.finditer(rf"(?im)^\W*{re.escape(ANSWER_CUE)}[*`]*\s*", text))
    return text[stated[-1].end() :].strip() or None if stated else None
