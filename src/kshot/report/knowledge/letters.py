"""A letter and a colour for each expert, the same in every picture; letters alone suffice to read them."""

from __future__ import annotations

# Eight that stay apart for most colour-blind readers; the sheet knowledge.css gives them their values.
COLOURS = ("--expa", "--expb", "--expc", "--expd", "--expe", "--expf", "--expg", "--exph")


def letter(place: int) -> str:
    """A to Z, then AA, AB and so on, as columns of a sheet.

    >>> [letter(place) for place in (0, 25, 26, 701, 702)]
    ['A', 'Z', 'AA', 'ZZ', 'AAA']
    """
    text, rest = "", place + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def colour(place: int) -> str:
    """The name of a colour; from the ninth expert on they come again, and letters tell them apart.

    >>> colour(0) == colour(8)
    True
    """
    return COLOURS[place % len(COLOURS)]
