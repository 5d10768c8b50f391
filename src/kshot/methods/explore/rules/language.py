"""Whether a text is in the language that was asked for: by the shares of its scripts, without any model."""

from __future__ import annotations

import re

from kshot.methods.explore.seams import Language

LEAST_LATIN = 0.7  # of the letters of an English text
LEAST_IDEOGRAPHS = 0.5  # of the ideographs and words of a Chinese text
MOST_KANA = 0.2  # of the same: above that it is Japanese
FEW = 3  # ideographs and words: a text of fewer, and without a longer word, is a formula
_QUOTED = re.compile(
    r'"[^"\n]{0,300}"|“[^”]{0,300}”|「[^」]{0,300}」|『[^』]{0,300}』|《[^》]{0,100}》|`[^`]{0,300}`|\$[^$]{0,300}\$'
)
_IDEOGRAPH = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9f]")
_LATIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿＡ-Ｚａ-ｚ]")
_GREEK = re.compile(r"[\u0370-\u03ff]")
_LATIN_WORD = re.compile(rf"{_LATIN.pattern}{{2,}}")
_LONGER_WORD = re.compile(rf"{_LATIN.pattern}{{4,}}")


def unquoted(text: str) -> str:
    """A text without what it quotes: what an instruction speaks about is no part of its own language.

    A text with no letters outside quotation marks stays as it is.

    >>> unquoted('Translate "今天" into English.')
    'Translate   into English.'
    """
    rest = _QUOTED.sub(" ", text)
    return rest if _letters(rest) else text


def is_in_language(text: str, language: Language) -> bool:
    """Whether the scripts of a text fit a language; quotations do not count.

    English: at least 70 % of the letters are Latin; Greek letters, as in formulas, count for nothing. Other
    languages in Latin letters pass. Chinese: of ideographs, kana and Latin words of two letters or more, at
    least half are ideographs and at most a fifth kana. A word of code counts as much as an ideograph, so
    that an instruction about ``calculate_sum`` is still Chinese. Formulas pass.

    >>> is_in_language("写一个函数 calculate_sum", "zh"), is_in_language("写一个函数", "en")
    (True, False)
    >>> is_in_language("Write a poem.", "zh"), is_in_language("3x + 5 = 20", "zh")
    (False, True)
    """
    said = unquoted(text)
    ideographs = len(_IDEOGRAPH.findall(said))
    if language == "zh":
        kana = len(_KANA.findall(said))
        units = ideographs + kana + len(_LATIN_WORD.findall(said)) + _others(said)
        is_formula = units < FEW and not _LONGER_WORD.search(said)
        return is_formula or (ideographs >= LEAST_IDEOGRAPHS * units and kana <= MOST_KANA * units)
    letters = _letters(said) - len(_GREEK.findall(said))
    return len(_LATIN.findall(said)) >= LEAST_LATIN * letters


def _others(text: str) -> int:
    """Letters of neither script, such as Cyrillic ones."""
    known = sum(len(one.findall(text)) for one in (_IDEOGRAPH, _KANA, _LATIN, _GREEK))
    return max(0, _letters(text) - known)


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
