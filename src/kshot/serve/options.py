"""How the proxy adapts and forwards requests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kshot.errors import InputError
from kshot.methods.panda.seams import Render

Place: TypeAlias = Literal["user", "system"]
QueryFrom: TypeAlias = Literal["last-user", "all-user"]


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """How the proxy adapts and forwards requests.

    Attributes:
        place: Where the insights stand: before the last user message's text, or at the end of the first
            system message (a new one, where there is none).
        query_from: Which text is compared with the pool: the last user message's, or all of them.
        render: What is shown of an insight.
        answers: How many of the expert's ranked answers a ``preference`` shows, 1 to 3.
        api_key_env: The environment variable whose key goes to the upstream in place of the client's own.
        largest_mb: A longer request body is refused; in megabytes.
        patience_s: Seconds that the upstream may be silent.
        trace: Whether each request's insights are told to ``log``: ids and scores, no contents.
        local_only: Whether requests are refused that a web page of another site sends (see ``guard``).
        log: Is told one line at a time; None: nobody is.

    Raises:
        InputError: A limit is no number above 0, or ``answers`` is not 1 to 3.
    """

    place: Place = "user"
    query_from: QueryFrom = "last-user"
    render: Render = "both"
    answers: int = 1
    api_key_env: str | None = None
    largest_mb: float = 20.0
    patience_s: float = 600.0
    trace: bool = False
    local_only: bool = True
    log: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        for name in ("largest_mb", "patience_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}, expected a number above 0")
        if self.answers not in (1, 2, 3):
            raise InputError(f"answers is {self.answers}, expected 1 to 3")

    def say(self, line: str) -> None:
        """Tells the log."""
        if self.log is not None:
            self.log(line)
