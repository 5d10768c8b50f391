"""When an agent is stuck: the released rule, and ours, which lets an expert's own solutions pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

StopRule: TypeAlias = Literal["circles", "two_of_five"]
Tried: TypeAlias = tuple[str, str]  # an action and the observation after it
_CIRCLE, _WINDOW, _DISTINCT, _SWITCHES = 6, 5, 2, 2


def is_stuck(tried: Sequence[Tried], *, rule: StopRule = "circles") -> bool:
    """Whether the latest actions lead nowhere. Thoughts are no actions.

    ``two_of_five``: the last five actions are exactly two different ones. It ends solutions that wait or
    measure: 25 of 60 gold paths of ScienceWorld's 20 tasks, before their own end.
    ``circles``: the last six are exactly two different ones, taken in turn (two switches at least), and each
    was answered the same every time. No gold path of these is ended by it.

    Source: ``two_of_five`` is SwiftSage's (spec of PANDA, section 9).

    >>> is_stuck([("a", "x"), ("b", "y")] * 3), is_stuck([("a", "x")] * 6)
    (True, False)
    >>> measured = [("heat", "hot"), ("read", "10"), ("heat", "hot"), ("read", "20"), ("heat", "hot")]
    >>> is_stuck(measured), is_stuck(measured, rule="two_of_five")
    (False, True)
    """
    window = _WINDOW if rule == "two_of_five" else _CIRCLE
    last = [(action.casefold(), answer) for action, answer in tried[-window:]]
    actions = [action for action, _ in last]
    if len(last) < window or len(set(actions)) != _DISTINCT:
        return False
    if rule == "two_of_five":
        return True
    switches = sum(one != other for one, other in pairwise(actions))
    return len(set(last)) == _DISTINCT and switches >= _SWITCHES
