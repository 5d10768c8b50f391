"""How much two texts must share before ROUGE-L can exceed a threshold: exact, in whole numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, final

from kshot.errors import DataError

_ROUNDING: Final = 1 - Fraction(1, 1 << 50)  # F in double is off by five roundings of 2^-53 at most


@final
class Bounds:
    """What F > threshold asks of two texts of m and n tokens with o in common, counting repeats.

    F is 2L/(m + n) but for rounding, and L is at most o. So F above t needs 2o >= t(m + n); at 0.7 and any
    length that is ``20 * o >= 7 * (m + n)``. Not strict: at exactly 7/10 the rounding of F decides.

    Raises:
        DataError: The threshold is not in [0, 1).

    >>> bounds = Bounds(0.7)
    >>> bounds.least(20), bounds.shortest(10)
    (7, 6)
    """

    def __init__(self, threshold: float) -> None:
        if not 0 <= threshold < 1:
            raise DataError(f"the overlap threshold is {threshold}, expected 0 or more and below 1")
        self.threshold = threshold
        exact = Fraction(threshold) * _ROUNDING
        self._top, self._bottom = exact.numerator, exact.denominator
        self._leasts: dict[int, int] = {}  # asked for with every pair; the numbers above are long

    def least(self, total: int) -> int:
        """The least that two texts with so many tokens together have in common; 1 at least."""
        if (found := self._leasts.get(total)) is None:
            found = self._leasts[total] = max(1, -(-self._top * total // (2 * self._bottom)))
        return found

    def shortest(self, length: int) -> int:
        """The fewest tokens of a text that can come above the threshold with one of this length."""
        return max(1, -(-self._top * length // (2 * self._bottom - self._top)))

    def fewest(self, length: int) -> int:
        """The least that a text of this length has in common with any text that comes above."""
        return self.least(length + self.shortest(length))
