"""What exploring may use, and what it used: planned before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What was planned and used: a request asked again for its shape counts as a second call.

    A request that the network lost and that was sent again counts once; the endpoint's own limits count it
    each time. So equal replies give equal counts, whatever went wrong on the way.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Of prompts and replies together."""
        return self.prompt_tokens + self.completion_tokens

    def plus(self, other: Spent) -> Spent:
        """Both."""
        return Spent(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be planned, over growing and filling together; None is no limit."""

    calls: int | None = None
    tokens: int | None = None

    def left(self, spent: Spent, *, tokens_a_call: float = 0.0) -> int | None:
        """How many more calls may be planned; None without a limit.

        >>> Limits(calls=10, tokens=1000).left(Spent(4, 300, 300), tokens_a_call=100.0)
        4
        """
        found = [] if self.calls is None else [self.calls - spent.calls]
        if self.tokens is not None:
            found.append(int((self.tokens - spent.tokens) // max(1.0, tokens_a_call)))
        return max(0, min(found)) if found else None
