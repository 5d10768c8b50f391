"""What no row may be: each rule has a name, and can be switched off."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kshot.data.nearest import proposal
from kshot.errors import InputError
from kshot.methods.explore.records import Item
from kshot.methods.explore.rules.language import is_in_language
from kshot.methods.explore.rules.media import needs_other_media
from kshot.methods.explore.seams import Language, RowRule

ROW_RULES = (
    "empty_instruction",
    "too_short",
    "too_long",
    "wrong_language",
    "placeholder_input",
    "empty_output",
    "echo",
    "needs_other_media",
)
_WIDE = re.compile(r"\s+")
_MARKS = re.compile(r"[\W_]+")
_LONE = re.compile(r"<([^<>]*)>|\(([^()]*)\)|（([^（）]*)）")
_STAND_IN = re.compile(
    r"\[(?!\s*[\d\"'])([^\[\]]*)\]|\{(?!\s*[\d\"'])([^{}]*)\}|【([^【】]*)】",
)
_ASKS = re.compile(
    r"\b(?:insert|paste|enter|add|put|provide|your|here|text|input|placeholder|content)\b"
    r"|请|输入|此处|这里|填写|内容|文本|文章|粘贴|插入",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """The rules' numbers, and which rules are off.

    Attributes:
        least_words: Of an instruction; in Chinese ``least_characters`` counts.
        most_words: Likewise.
        least_characters: Of an instruction in Chinese, blanks not counted.
        most_characters: Likewise.
        off: Names of rules that are not applied.

    Raises:
        InputError: A limit is below 0 or above its other end, or there is no rule of a name in ``off``.
    """

    least_words: int = 3
    most_words: int = 150
    least_characters: int = 4
    most_characters: int = 300
    off: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ends = (
            ("words", self.least_words, self.most_words),
            ("characters", self.least_characters, self.most_characters),
        )
        for unit, least, most in ends:
            if not 0 <= least <= most:
                raise InputError(
                    f"least_{unit} is {least} and most_{unit} is {most}; expected 0 <= least <= most"
                )
        for name in self.off:
            if name not in ROW_RULES:
                raise InputError(
                    f"there is no row rule {name!r}{proposal(name, ROW_RULES)} "
                    f"(the rules are {', '.join(ROW_RULES)})"
                )


STANDARD = RuleOptions()


def row_rules(options: RuleOptions = STANDARD, language: Language = "en") -> Mapping[str, RowRule]:
    """The rules that are on, by name, in the order in which they are applied.

    Each takes an item and gives its own name where the item breaks it, else an empty text.

    - ``empty_instruction``; ``empty_output``.
    - ``too_short``, ``too_long``: the instruction's words, or in Chinese its characters.
    - ``wrong_language``: of the instruction; see ``is_in_language``.
    - ``placeholder_input``: the input is nothing but a stand-in, such as ``<text>`` or ``(your text here)``.
    - ``echo``: the output is the instruction, or instruction and input, again.
    - ``needs_other_media``: more than text is needed; see ``needs_other_media``.

    >>> rules = row_rules(RuleOptions(off=("echo",)))
    >>> len(rules), rules["too_short"](Item("Go on.", "", "On."))
    (7, 'too_short')
    """
    breaks: dict[str, Callable[[Item], bool]] = {
        "empty_instruction": lambda item: not item.instruction.strip(),
        "too_short": lambda item: _size(item.instruction, language) < _least(options, language),
        "too_long": lambda item: _size(item.instruction, language) > _most(options, language),
        "wrong_language": lambda item: not is_in_language(item.instruction, language),
        "placeholder_input": lambda item: _is_placeholder(item.input),
        "empty_output": lambda item: not item.output.strip(),
        "echo": _is_echo,
        "needs_other_media": lambda item: needs_other_media(item.instruction),
    }
    on = {name: _rule(name, breaks[name]) for name in ROW_RULES if name not in options.off}
    return MappingProxyType(on)


def broken(item: Item, rules: Mapping[str, RowRule]) -> str:
    """The name of the first rule that a row breaks; empty where it passes all.

    >>> rules = row_rules()
    >>> broken(Item("Name a small bird.", "", ""), rules), broken(Item("Name a bird.", "", "Wren."), rules)
    ('empty_output', '')
    """
    return next(filter(None, (rule(item) for rule in rules.values())), "")


def _rule(name: str, breaks: Callable[[Item], bool]) -> RowRule:
    return lambda item: name if breaks(item) else ""


def _size(text: str, language: Language) -> int:
    return len(_WIDE.sub("", text)) if language == "zh" else len(text.split())


def _least(options: RuleOptions, language: Language) -> int:
    return options.least_characters if language == "zh" else options.least_words


def _most(options: RuleOptions, language: Language) -> int:
    return options.most_characters if language == "zh" else options.most_words


def _is_placeholder(text: str) -> bool:
    """Nothing but one pair of brackets: with words in angle or round ones; in others, asking for input."""
    said = text.strip().strip(".。")
    if lone := _LONE.fullmatch(said):
        inner = next(one for one in lone.groups() if one is not None)
        return not inner.strip() or _WORD.search(inner) is not None
    return _STAND_IN.fullmatch(said) is not None and _ASKS.search(said) is not None


def _is_echo(item: Item) -> bool:
    output = _bare(item.output)
    request = _bare(item.instruction)
    return bool(output) and output in (request, request + _bare(item.input))


def _bare(text: str) -> str:
    """Letters and digits alone, in one case."""
    return _MARKS.sub("", text.casefold())
