"""Which choice or number a reply states; None where it states none, or several choices."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_CUE = re.compile(r"(?i)\b(?:answer|choice|option)\s*(?:is\b\s*:?|[:=])")
_MARKUP = r"[ \t>*\"'`$]*"
# After a cue: any letter that closes a clause, or a capital one that cannot be an article or a pronoun.
_AFTER_CUE = re.compile(
    rf"{_MARKUP}(?:(?:option|choice)\s+)?(?:\\boxed\{{|\\text\{{)?[(\[*]*"
    r"(?:([A-Za-z])(?=[,;:!?)\]}*\"'`$]|\.(?!\w)|\s*$|\s+(?:because|since|as)\b)|([B-HJ-Z])(?![\w'-]|\.\w))"
)
_SEVERAL = re.compile(r"[)\]*.]*\s*(?:,|/|\bor\b|\band\b)\s*[(\[*]*[A-Z](?![\w'])")
_LINE_HEAD = re.compile(
    rf"^{_MARKUP}(?:[(\[]([A-Za-z])[)\]]|([A-Za-z])(?=[.):]+(?:\s|[*]|$)|[*\"'`.]*\s*$)|([B-HJ-Z])(?=\s[-–—]\s))"
)
_BRACKETED = re.compile(r"(?:[(\[]|\\boxed\{)([A-Z])[)\]}]")
_DIGITS = (
    r"([-+]?)[$€£¥]?([-+]?)((?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:[eE]([-+]?[0-9]+)(?![A-Za-z0-9]))?(?:/([0-9]+))?"
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])(?<![0-9][.])" + _DIGITS)
_STATED_NUMBER = re.compile(r"####[ \t]*" + _DIGITS)
_MOST_DIGITS = 1000


def extract_choice(reply: str) -> str | None:
    """The capital letter of the choice that a reply states, or None.

    Read in this order: after the last cue (``Answer: B``, ``the answer is (b)``); at the head of lines
    (``B``, ``(B)``, ``B.``, ``B) text``); in brackets inside a sentence (``(B)``, capital only). Several
    different letters in one of these places are no answer, nor is an article ("A dog ran").

    >>> [extract_choice(reply) for reply in ("B) Paris", "So the answer is (b).", "A dog ran.")]
    ['B', 'B', None]
    """
    text = unicodedata.normalize("NFKC", reply)
    if cues := list(_CUE.finditer(text)):
        after = text[cues[-1].end() :].lstrip().partition("\n")[0]
        if found := _AFTER_CUE.match(after):
            several = _SEVERAL.match(after, found.end())
            return None if several else (found[1] or found[2]).upper()
    heads = [found for line in text.splitlines() if (found := _LINE_HEAD.match(line))]
    if any(_SEVERAL.match(head.string, head.end()) for head in heads):
        return None
    for letters in ({(h[1] or h[2] or h[3]).upper() for h in heads}, set(_BRACKETED.findall(text))):
        if letters:
            return letters.pop() if len(letters) == 1 else None
    return None


def extract_number(reply: str) -> Fraction | None:
    r"""The number after the last ``####``, else the last number of a reply, exactly; None if there is none.

    Reads thousands commas, decimals, signs, fractions a/b and powers of ten (1.5e3); a currency sign or
    a per cent sign is passed over (50% is 50). A sign counts only where no word or number stands before
    it. Longer numbers than 1,000 digits, and divisions by zero, are no number.

    >>> extract_number("6 boxes cost $1,234.50"), extract_number("3 + 4 = 7\n#### -7/2")
    (Fraction(2469, 2), Fraction(-7, 2))
    """
    text = unicodedata.normalize("NFKC", reply).replace("\u2212", "-").replace("\u2044", "/")
    if stated := _STATED_NUMBER.findall(text):
        return _fraction(*stated[-1])
    numbers = _NUMBER.findall(text)
    return _fraction(*numbers[-1]) if numbers else None


def _fraction(sign: str, inner_sign: str, digits: str, power: str, divisor: str) -> Fraction | None:
    if len(power) > 5 or max(len(digits), len(divisor)) > _MOST_DIGITS:
        return None
    exponent = int(power or 0)
    if abs(exponent) > _MOST_DIGITS or (divisor and not int(divisor)):
        return None
    value = Fraction(digits.replace(",", "")) * Fraction(10) ** exponent / int(divisor or 1)
    return -value if "-" in (sign, inner_sign) and sign != inner_sign else value
