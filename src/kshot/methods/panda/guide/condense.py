"""One group of insights, one question, a few rules: a structured reply that is checked to the last id."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from kshot.data.example import Conversation, Message
from kshot.errors import DataError
from kshot.methods.panda.guide.groups import Group
from kshot.methods.panda.prompts import CASE, NOTE, RANKED, marked
from kshot.methods.panda.records import Insight
from kshot.models.endpoint import json_check

Said: TypeAlias = tuple[str, tuple[int, ...]]
LONGEST_RULE = 60  # words
AGAIN = ". Reply with the JSON object alone."
CONDENSE = """You turn an expert's decisions into rules that others can follow.
Read the numbered cases: each has a text, the expert's answer where it is known, and a note that explains it.
Write {most} general rules that the cases have in common. A rule is one sentence of at most 40 words that says
what to look for and which answer that speaks for. Speak of texts of this kind, never of a single case. Name
for each rule the numbers of the cases that support it; leave out what no case supports.
Reply with a JSON object and nothing else, of this form:
{form}"""
FORM = '{"rules": [{"rule": "...", "support": [1, 2]}]}'


def condense_prompt(
    insights: Sequence[Insight], group: Group, *, task: str, most_rules: int = 3, most_words: int = 200
) -> Conversation:
    """The question about one group; its cases are numbered from 1 in the order of ``group.shown``.

    A case's text is cut behind ``most_words`` words, marked by dots: what decides is in the explanation.

    Example::

        Question(condense_prompt(pool.insights, group, task=template.instruction), check=...)
    """
    most = "one or two" if most_rules == 2 else "one" if most_rules == 1 else f"one to {most_rules}"
    request = CONDENSE.replace("{most}", most).replace("{form}", FORM)
    parts = [marked("Task", task)] if task.strip() else []
    for number, place in enumerate(group.shown, start=1):
        insight = insights[place]
        lines = [f"{number}.", marked(CASE, _shortened(insight.key, most_words))]
        if insight.preference is not None:
            lines.append(marked(RANKED[0], insight.preference.top.shown))
        if insight.insight.strip():
            lines.append(marked(NOTE, insight.explanation))
        parts.append("\n".join(lines))
    return (Message("system", request), Message("user", "\n\n".join(parts)))


def rules_in(text: str, case_count: int, *, most_rules: int = 3) -> list[Said]:
    """Rules and the numbers of their cases, from a reply.

    Raises:
        DataError: With what is wrong, in words for the model.

    >>> rules_in('{"rules": [{"rule": "Praise is positive.", "support": [2, 1]}]}', 3)
    [('Praise is positive.', (1, 2))]
    """
    rule = {
        "type": "object",
        "properties": {"rule": {"type": "string"}, "support": numbers(case_count)},
        "required": ["rule", "support"],
    }
    rules = {"type": "array", "items": rule, "minItems": 1, "maxItems": most_rules}
    shape = json_check({"type": "object", "properties": {"rules": rules}, "required": ["rules"]})
    found = shape.read(text)["rules"]
    return [(rule_text(each["rule"]), distinct(each["support"])) for each in found]


def numbers(most: int) -> dict[str, Any]:
    """The JSON schema of a list of numbers from 1 to ``most``.

    >>> numbers(3)["items"]
    {'type': 'integer', 'minimum': 1, 'maximum': 3}
    """
    return {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": most}, "minItems": 1}


def distinct(named: Sequence[float]) -> tuple[int, ...]:
    """Such numbers once each, ascending; JSON may write 2 as 2.0.

    >>> distinct([3, 1.0, 3])
    (1, 3)
    """
    return tuple(sorted({int(number) for number in named}))


def checker(read: Callable[[str], object]) -> Callable[[str], str]:
    """A reader that raises ``DataError``, as a check of replies.

    >>> checker(rule_text)("Praise is positive."), checker(rule_text)("")
    ('', 'every rule must be a text. Reply with the JSON object alone.')
    """

    def check(text: str) -> str:
        try:
            read(text)
        except DataError as error:
            return f"{error}{AGAIN}"
        return ""

    return check


def rule_text(value: str) -> str:
    """A rule's text as one line.

    Raises:
        DataError: It is empty, or too long.

    >>> rule_text(" Praise   is positive. ")
    'Praise is positive.'
    """
    text = " ".join(value.split())
    if not re.search(r"\w", text):
        raise DataError("every rule must be a text")
    if (length := len(text.split())) > LONGEST_RULE:
        raise DataError(f"a rule has {length} words; write at most {LONGEST_RULE}")
    return text


def _shortened(text: str, most_words: int) -> str:
    words = text.split()
    return text if len(words) <= most_words else " ".join([*words[:most_words], "..."])
