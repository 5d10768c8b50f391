"""One budget for several jobs, each of which opens an endpoint of its own."""

from __future__ import annotations

from typing import Any, final

from kshot.data.task import Task
from kshot.data.taskfile.settings import BudgetSection
from kshot.errors import BudgetError
from kshot.runs import Listener, silent

_LIMITS = ("calls", "tokens", "usd")


@final
class Purse:
    """A listener that adds up what jobs say they spent, and gives the next job what is left.

    What a job tells is handed on. Minutes are not counted here.

    >>> purse = Purse(BudgetSection(calls=100))
    >>> purse("spent", calls=60, tokens=9_000, usd=0.0)
    >>> purse.left()
    {'calls': 40}
    """

    def __init__(self, limits: BudgetSection, listener: Listener = silent) -> None:
        self._limits = {name: getattr(limits, name) for name in _LIMITS if getattr(limits, name) is not None}
        self._spent = dict.fromkeys(_LIMITS, 0.0)
        self._listener = listener

    def __call__(self, event: str, **fields: Any) -> None:
        """Counts ``spent`` and tells the listener."""
        if event == "spent":
            for name in _LIMITS:
                self._spent[name] += fields[name]
        self._listener(event, **fields)

    def left(self) -> dict[str, float]:
        """What is left of each limit.

        Raises:
            BudgetError: Nothing is left of one.
        """
        found: dict[str, float] = {}
        for name, limit in self._limits.items():
            rest = limit - self._spent[name]
            if rest <= 0:
                told = f"{self._spent[name]:,.4g} of {limit:,.4g} {'USD' if name == 'usd' else name}"
                raise BudgetError(f"the budget is used up: {told}; what was answered is in the journal")
            found[name] = rest if name == "usd" else int(rest)
        return found

    def allow(self, task: Task) -> Task:
        """The task with what is left in the place of its limits.

        Raises:
            BudgetError: Nothing is left of one.

        Example::

            learn_from_task(purse.allow(task), out, job, listener=purse)
        """
        left = self.left()
        return task.with_sections(budget=left) if left else task
