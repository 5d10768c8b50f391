"""One group of insights, one question, a few rules: a structured reply that is checked to the last id."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from kshot.data.example import Conversation, Message
from kshot.methods.panda.guide.groups import Group
from kshot.methods.panda.prompts import CASE, NOTE, RANKED, marked
from kshot.methods.panda.records import Insight

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
        ValueError: With what is wrong, in words for the model.

    >>> rules_in('{"rules": [{"rule": "Praise is positive.", "support": [2, 1]}]}', 3)
    [('Praise is positive.', (1, 2))]
    """
    found = json_object(text).get("rules")
    if not isinstance(found, list) or not found:
        raise ValueError(f"the field 'rules' must be a list with at least one rule, of this form: {FORM}")
    if len(found) > most_rules:
        raise ValueError(f"there are {len(found)} rules; write at most {most_rules}")
    return [_rule(rule, case_count) for rule in found]


def checker(read: Callable[[str], object]) -> Callable[[str], str]:
    """A reader that raises ``ValueError``, as a check of replies.

    >>> checker(int)("1"), checker(int)("x")[:15]
    ('', 'invalid literal')
    """

    def check(text: str) -> str:
        try:
            read(text)
        except ValueError as error:
            return f"{error}{AGAIN}"
        return ""

    return check


def json_object(text: str) -> dict[str, Any]:
    r"""The JSON object that a reply is, with or without a code fence around it.

    Raises:
        ValueError: It is none.

    >>> json_object('```json\n{"a": 1}\n```')
    {'a': 1}
    """
    inside = re.sub(r"^```\w*\s*|\s*```$", "", text.strip())
    try:
        found = json.loads(inside)
    except (ValueError, RecursionError):
        raise ValueError("the reply is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("the reply is no JSON object")
    return found


def rule_text(value: object) -> str:
    """A rule's text as one line.

    Raises:
        ValueError: It is no text, empty, or too long.

    >>> rule_text(" Praise   is positive. ")
    'Praise is positive.'
    """
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or not re.search(r"\w", text):
        raise ValueError("every rule must be a text")
    if (length := len(text.split())) > LONGEST_RULE:
        raise ValueError(f"a rule has {length} words; write at most {LONGEST_RULE}")
    return text


def numbers_in(value: object, most: int, *, what: str) -> tuple[int, ...]:
    """Distinct numbers from 1 to ``most``, ascending.

    Raises:
        ValueError: It is no list of such numbers, or an empty one.

    >>> numbers_in([3, 1, 3], 3, what="cases")
    (1, 3)
    """
    if not isinstance(value, list) or not value:
        raise ValueError(f"{what} must be given as a list of at least one number")
    wrong = [each for each in value if isinstance(each, bool) or not isinstance(each, int)]
    unknown = [each for each in value if each not in wrong and not 1 <= each <= most]
    if wrong or unknown:
        shown = json.dumps((wrong or unknown)[0])[:40]
        raise ValueError(f"{what}: {shown} is none of the numbers 1 to {most}")
    return tuple(sorted(set(value)))


def _shortened(text: str, most_words: int) -> str:
    words = text.split()
    return text if len(words) <= most_words else " ".join([*words[:most_words], "..."])


def _rule(rule: object, case_count: int) -> Said:
    if not isinstance(rule, dict):
        raise ValueError(f"every rule must be an object of this form: {FORM}")
    return rule_text(rule.get("rule")), numbers_in(rule.get("support"), case_count, what="support")
