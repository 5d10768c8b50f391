"""The second pass: the rules of all groups become one list, by operations that are checked first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

from kshot.data.example import Conversation, Message
from kshot.errors import DataError
from kshot.methods.panda.guide.condense import distinct, numbers, rule_text
from kshot.methods.panda.guide.rules import Dropped, Rule
from kshot.methods.panda.prompts import marked
from kshot.methods.panda.records import Counters
from kshot.models.endpoint import json_check

MERGE = """You tidy a list of rules that were written in parts.
Reply with operations on the numbered rules. Rules that no operation names stay as they are. Operations:
merge: several rules say the same; give one text for all of them.
edit: one rule is unclear or too special; give a better text.
remove: one rule says nothing or is wrong; give the reason.
add: several rules together show another one; give its text and the rules that it follows from, which stay.
conflict: two rules speak against each other; both stay and are marked.
No rule may be named by two of merge, edit and remove.
Reply with a JSON object and nothing else, of this form:
{"operations": [{"op": "merge", "rules": [1, 4], "rule": "..."}, {"op": "edit", "rules": [2], "rule": "..."},
{"op": "remove", "rules": [3], "reason": "..."}, {"op": "add", "rules": [1, 2], "rule": "..."},
{"op": "conflict", "rules": [1, 5]}]}
An empty list of operations leaves all as it is."""


@final
@dataclass(frozen=True, slots=True)
class Operation:
    """One step on the numbered rules, which count from 1."""

    op: str
    rules: tuple[int, ...]
    text: str = ""


Tidied: TypeAlias = tuple[list[Rule], list[Dropped]]


def merge_prompt(rules: Sequence[Rule], *, task: str) -> Conversation:
    """The question about all rules, with the number of insights that support each.

    Example::

        Question(merge_prompt(rules, task=template.instruction), check=...)
    """
    parts = [marked("Task", task), ""] if task.strip() else []
    for number, rule in enumerate(rules, start=1):
        cases = f"{len(rule.support)} case" + ("s" if len(rule.support) != 1 else "")
        parts.append(f"{number}. ({cases}) {rule.text}")
    return (Message("system", MERGE), Message("user", "\n".join(parts)))


def operations_in(text: str, rule_count: int) -> list[Operation]:
    """The operations of a reply.

    Raises:
        DataError: With what is wrong, in words for the model.

    >>> operations_in('{"operations": [{"op": "remove", "rules": [2], "reason": "empty"}]}', 2)
    [Operation(op='remove', rules=(2,), text='empty')]
    """
    operation = {
        "type": "object",
        "properties": {
            "op": {"enum": list(_FEWEST_AND_MOST)},
            "rules": numbers(rule_count),
            "rule": {"type": ["string", "null"]},
        },
        "required": ["op", "rules"],
    }
    listed = {"type": "array", "items": operation}
    shape = json_check({"type": "object", "properties": {"operations": listed}, "required": ["operations"]})
    operations = [_operation(each) for each in shape.read(text)["operations"]]
    changed = [n for each in operations if each.op in ("merge", "edit", "remove") for n in each.rules]
    twice = sorted({n for n in changed if changed.count(n) > 1})
    if twice:
        raise DataError(f"rule {twice[0]} is named by two of merge, edit and remove")
    if sum(each.op == "remove" for each in operations) == rule_count > 0:
        raise DataError("not all rules can be removed")
    return operations


def applied(
    rules: Sequence[Rule], operations: Sequence[Operation], *, order: Mapping[str, int] | None = None
) -> Tidied:
    """The rules after the operations, and those that were removed.

    Merged and added rules rest on the insights of all the rules they name. A conflict marks both sides with
    the other's text as it stands afterwards; one between rules that became one rule is no longer any.

    Args:
        rules: As they were numbered.
        operations: As they were checked.
        order: Insight id to its place in the pool, for the order of support.

    >>> rules = [Rule("Praise is good.", ("x",)), Rule("Praise is positive.", ("y",))]
    >>> applied(rules, [Operation("merge", (1, 2), "Praise is positive.")])[0][0].support
    ('x', 'y')
    """
    place = order or {}
    now: dict[int, Rule] = dict(enumerate(rules, start=1))
    standing = {number: number for number in now}  # where each rule went; 0: away
    dropped: list[Dropped] = []
    added: list[Rule] = []
    for each in operations:
        named = [rules[number - 1] for number in each.rules]
        if each.op in ("merge", "edit"):
            now[each.rules[0]] = _joined(named, each.text, place)
            standing |= dict.fromkeys(each.rules, each.rules[0])
        elif each.op == "remove":
            dropped += [Dropped(rule.text, f"removed: {each.text}", rule.support) for rule in named]
            standing |= dict.fromkeys(each.rules, 0)
        elif each.op == "add":
            added.append(_joined(named, each.text, place))
    for each in operations:
        if each.op == "conflict":
            _mark(now, {standing[number] for number in each.rules} - {0})
    kept = [rule for number, rule in now.items() if standing[number] == number]
    return [*kept, *added], dropped


_FEWEST_AND_MOST: Mapping[str, tuple[int, float]] = {
    "merge": (2, math.inf),
    "edit": (1, 1),
    "remove": (1, 1),
    "add": (1, math.inf),
    "conflict": (2, 2),
}


def _operation(plain: Mapping[str, Any]) -> Operation:
    op, named = plain["op"], distinct(plain["rules"])
    fewest, most = _FEWEST_AND_MOST[op]
    if not fewest <= len(named) <= most:
        raise DataError(f"{op} names {len(named)} rules")
    return Operation(op, named, _text(op, plain))


def _text(op: str, plain: Mapping[str, Any]) -> str:
    if op == "conflict":
        return ""
    if op == "remove":
        return " ".join(str(plain.get("reason") or "no reason was given").split())[:200]
    return rule_text(plain.get("rule") or "")


def _joined(rules: Sequence[Rule], text: str, order: Mapping[str, int]) -> Rule:
    """One rule that rests on what all of them rest on. An insight that several share counts once."""
    support = dict.fromkeys(each for rule in rules for each in rule.support)
    ids = tuple(sorted(support, key=lambda each: order.get(each, 0)))
    pairs = tuple(dict.fromkeys(pair for rule in rules for pair in rule.pairs))
    return Rule(text, ids, Counters(), (), pairs)


def _mark(now: dict[int, Rule], sides: set[int]) -> None:
    for side in sides:
        others = tuple(now[other].text for other in sorted(sides - {side}))
        now[side] = replace(now[side], conflicts=tuple(dict.fromkeys((*now[side].conflicts, *others))))
