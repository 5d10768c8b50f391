"""Whether two short mathematical answers are the same, by their spelling: no algebra is done."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal, TypeAlias

from kshot.measure.maths.stated import gold_answer, in_box, stated

Mode: TypeAlias = Literal["lenient", "strict"]
_DROPPED = ("\\left", "\\right", "\\!", "^{\\circ}", "^\\circ", "\\$", "\\%", "\\ ", "\n")
_TEXTS = r"\\(?:text|mbox|mathrm|textrm|textbf|mathbf|textit)"
_POWER = r"(?:\^\{?\d+\}?)?"
_UNIT = re.compile(rf"\\text\{{ [^{{}}]*\}}{_POWER}\.?\s*\Z")
_ANY_UNIT = re.compile(rf"{_TEXTS}\s*\{{[^{{}}]*\}}{_POWER}\.?\s*\Z")
_WHOLE_TEXT = re.compile(rf"\A{_TEXTS}\s*\{{([^{{}}]*)\}}\Z")
_BARE_DECIMAL = re.compile(r"(^|[{(\[,=+\-*/ ])\.(?=\d)")
_STRICT_DECIMAL = re.compile(r"(^|[{ ])\.(?=\d)")
_FRACTION = {
    "strict": re.compile(r"\\frac([^{}])([^{}]?)"),
    "lenient": re.compile(r"\\frac(\\[A-Za-z]+|[^{}\\])(\\[A-Za-z]+|[^{}\\]?)"),
}
_HALF_FRACTION = re.compile(r"\\frac\{([^{}]*)\}(\\[A-Za-z]+|[^{}\\])")
_ROOT = {
    "strict": re.compile(r"\\sqrt([^{\[])"),
    "lenient": re.compile(r"\\sqrt(\\[A-Za-z]+|[^{\[\\])"),
}
_SLASHED = re.compile(r"(-?\d+)/(-?\d+)\Z")
_LONG_LEFT = re.compile(r"\A(?:[A-Za-z]+(?:_\{?\w+\}?)?(?:\([A-Za-z]\))?|\\(?:text|mathrm)\{[^{}]*\})\Z")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
_DECIMAL = re.compile(r"([+-]?)(\d+(?:\.\d*)?)\Z")
_QUOTIENT = re.compile(r"([+-]?)\\frac\{([+-]?\d+(?:\.\d+)?)\}\{([+-]?\d+(?:\.\d+)?)\}\Z")
_QUOTIENT_SLASHED = re.compile(r"([+-]?)\(?(\d+(?:\.\d+)?)\)?/\(?([+-]?\d+(?:\.\d+)?)\)?\Z")
_MOST_DIGITS = 200


def equivalent(a: str | None, b: str | None, *, mode: Mode = "lenient") -> bool:
    r"""Whether two answers are the same answer; a missing or empty one is equal to nothing, not even itself.

    Args:
        a: An answer, as ``boxed`` gives it.
        b: Another one; the order does not matter.
        mode: ``strict`` takes the spellings of the released checker as equal (``\frac12``, ``1/2``, ``0.5``).
            ``lenient`` takes more: thousands commas, 2.0 and 2, any decimal and its fraction, signs before
            or in a fraction, dollar and per cent signs, units without a blank, a word before "=".

    Numbers are compared exactly. ``x+1`` and ``1+x`` differ: no algebra is done.

    Source: the equality table of specs/explore.md, section 14.

    >>> equivalent(r"\frac12", "0.5"), equivalent("(1,2)", "(2,1)"), equivalent(None, None)
    (True, False, False)
    >>> equivalent("1,000", "1000"), equivalent("1,000", "1000", mode="strict")
    (True, False)
    """
    if a is None or b is None or not a.strip() or not b.strip():
        return False
    return a.strip() == b.strip() or any(_same(a, b, tried) for tried in _tried(mode))


def answers_equal(reply: str, gold: str, *, mode: Mode = "lenient") -> bool:
    r"""Whether a reply states the right answer: both may be solutions with a box, or bare answers.

    >>> answers_equal(r"Half of it: $\boxed{\frac12}$", "0.5"), answers_equal("No idea", "")
    (True, False)
    """
    right = gold_answer(gold)
    said = stated(reply)
    if equivalent(said, right, mode=mode):
        return True
    return in_box(reply) is None and equivalent(reply, right, mode=mode)  # "a=1, b=2" has a cue, and is whole


def normalised(text: str, *, mode: Mode = "lenient") -> str:
    r"""An answer in the form in which two are compared; may be empty.

    Dropped: blanks, ``\left``, ``\right``, ``\!``, degrees, ``\$``, ``\%``, a unit in ``\text{ }`` at the
    end. ``\dfrac`` and ``\tfrac`` become ``\frac``, braces are filled in after ``\frac`` and ``\sqrt``, a
    quotient of whole numbers and 0.5 become fractions, ".5" gets its zero, and a left side of at most two
    characters before a single "=" goes. ``lenient`` brings every number to lowest terms on top of that.

    >>> normalised(r"x = \tfrac12"), normalised("-1/4"), normalised(r"0.25\text{cm}")
    ('\\frac{1}{2}', '-\\frac{1}{4}', '\\frac{1}{4}')
    """
    plain = _shortened(text.strip(), mode)
    if mode == "strict":
        return _strict_number(plain)
    return _with_numbers(plain)


def _tried(mode: Mode) -> tuple[Mode, ...]:
    return ("strict",) if mode == "strict" else ("strict", "lenient")  # what is equal strictly stays equal


def _same(a: str, b: str, mode: Mode) -> bool:
    first, second = normalised(a, mode=mode), normalised(b, mode=mode)
    return bool(first) and first == second  # a unit alone leaves nothing, which tells nothing


def _shortened(text: str, mode: Mode) -> str:
    """All signs off that do not change the meaning, in one order; every step is linear."""
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cfrac", "\\frac")
    for sign in _DROPPED:
        text = text.replace(sign, "")
    if mode == "lenient":
        text = text.replace("$", "").replace("%", "").replace("\u2212", "-").strip().rstrip(".").strip()
        text = text.replace("\\(", "").replace("\\)", "").replace("°", "")
        text = _WHOLE_TEXT.sub(r"\1", text)
    bare = (_UNIT if mode == "strict" else _ANY_UNIT).sub("", text)
    text = bare if bare.strip() else text
    text = (_STRICT_DECIMAL if mode == "strict" else _BARE_DECIMAL).sub(r"\g<1>0.", text)
    text = _without_left_side(text, mode)
    text = "".join(text.split())
    text = _ROOT[mode].sub(r"\\sqrt{\1}", text)
    text = _FRACTION[mode].sub(_braced, text)
    return text if mode == "strict" else _HALF_FRACTION.sub(r"\\frac{\1}{\2}", text)


def _braced(found: re.Match[str]) -> str:
    return f"\\frac{{{found[1]}}}" + (f"{{{found[2]}}}" if found[2] else "")


def _without_left_side(text: str, mode: Mode) -> str:
    if text.count("=") != 1:
        return text
    left, _, right = text.partition("=")
    left = left.strip()
    is_name = len(left) <= 2 or (mode == "lenient" and len(left) <= 60 and _LONG_LEFT.match(left) is not None)
    return right.strip() if is_name and right.strip() else text


def _strict_number(text: str) -> str:
    if text == "0.5":
        return "\\frac{1}{2}"
    found = _SLASHED.match(text)
    return f"\\frac{{{found[1]}}}{{{found[2]}}}" if found else text


def _with_numbers(text: str) -> str:
    """A number in lowest terms; so are the entries of a tuple or an interval."""
    whole = _number(text)
    if whole is not None:
        return whole
    if text[:1] in tuple("([") and text[-1:] in tuple(")]") and text.count("(") + text.count("[") == 1:
        entries = (_number(part) or part for part in text[1:-1].split(","))
        return text[0] + ",".join(entries) + text[-1]
    return text


def _number(text: str) -> str | None:
    if len(text) > _MOST_DIGITS:
        return None
    if _THOUSANDS.match(text):
        text = text.replace(",", "")
    value: Fraction | None = None
    if found := _DECIMAL.match(text):
        value = _signed(found[1], Fraction(found[2].rstrip(".")))
    elif (found := _QUOTIENT.match(text) or _QUOTIENT_SLASHED.match(text)) and Fraction(found[3]):
        value = _signed(found[1], Fraction(found[2]) / Fraction(found[3]))
    return None if value is None else _spelled(value)


def _signed(sign: str, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def _spelled(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    if value.denominator == 1:
        return f"{value.numerator}"
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
