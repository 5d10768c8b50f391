"""What a model's line means: a thought, an action, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias

from kshot.agents.grounding import trimmed

Kind: TypeAlias = Literal["thought", "action"]
_THOUGHT = re.compile(r"^\s*>?\s*(?:think|thought)\s*:\s*", re.IGNORECASE)
_LABEL = re.compile(r"^\s*>?\s*(?:next\s+)?(?:action|act)\s*:\s*", re.IGNORECASE)


def line_of(reply: str, *, thoughts: bool) -> tuple[Kind, str]:
    """Kind and text of a reply's first line that holds anything; marks before an action are dropped.

    Where thoughts are not allowed a line is an action, whatever it says.

    >>> line_of("> think: I need a cup", thoughts=True)
    ('thought', 'I need a cup')
    >>> line_of("Action: open door", thoughts=True)
    ('action', 'open door')
    """
    line = next((line for line in reply.split("\n") if line.strip(" >")), "")
    if thoughts and (begin := _THOUGHT.match(line)):
        return "thought", line[begin.end() :].strip()
    return "action", trimmed(_LABEL.sub("", line))


def by_frequency(actions: Sequence[str]) -> tuple[str, ...]:
    """Distinct actions, most frequent first; equally frequent ones in the order of their first draw.

    >>> by_frequency(["wait", "open door", "Open door", "look around"])
    ('open door', 'wait', 'look around')
    """
    keys = [action.casefold() for action in actions]
    counts = Counter(keys)
    first: dict[str, str] = {}
    for key, action in zip(keys, actions, strict=True):
        first.setdefault(key, action)
    order = sorted(first, key=lambda key: (-counts[key], keys.index(key)))
    return tuple(first[key] for key in order)
