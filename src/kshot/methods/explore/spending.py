"""What exploring may use, and what it used: planned before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor


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


NOTHING_YET = Spent()


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be planned, over growing and filling together; None is no limit.

    Attributes:
        calls: Requests.
        tokens: Of prompts and replies together.
        usd: Money, at ``prices``: USD per million tokens of prompts, and of replies.
    """

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    prices: tuple[float, float] = (0.0, 0.0)

    def left(self, spent: Spent, *, tokens_a_call: float = 0.0, like: Spent = NOTHING_YET) -> int | None:
        """How many more calls may be planned; None without a limit.

        Args:
            spent: So far.
            tokens_a_call: What a call is taken to need.
            like: Calls whose mix of prompts and replies says what a token costs; without any, every token is
                taken at the dearer price.

        >>> Limits(calls=10, tokens=1000).left(Spent(4, 300, 300), tokens_a_call=100.0)
        4
        >>> Limits(usd=1.0, prices=(1.0, 3.0)).left(Spent(), tokens_a_call=1000.0, like=Spent(1, 500, 500))
        500
        """
        found = [] if self.calls is None else [self.calls - spent.calls]
        if self.tokens is not None:
            found.append(int((self.tokens - spent.tokens) // max(1.0, tokens_a_call)))
        if self.usd is not None and (price := self._price(like)):
            found.append(floor((self.usd - self.cost(spent)) / (price * max(1.0, tokens_a_call)) + 1e-9))
        return max(0, min(found)) if found else None

    def cost(self, spent: Spent) -> float:
        """USD at these prices.

        >>> Limits(prices=(1.0, 3.0)).cost(Spent(1, 500_000, 500_000))
        2.0
        """
        return (spent.prompt_tokens * self.prices[0] + spent.completion_tokens * self.prices[1]) / 1e6

    def _price(self, like: Spent) -> float:
        """USD of one token."""
        return self.cost(like) / like.tokens if like.tokens else max(self.prices) / 1e6
