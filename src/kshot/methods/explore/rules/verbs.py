"""The verbs that instructions open with: cheap enough to count before every request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from kshot.methods.explore.seams import Language

_OPENING = 240  # characters of an instruction that are looked at
_WORDS = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_POLITE = re.compile(
    r"\W*(?:(?:please|kindly|now|then|first|next|finally|also|hi|hello|okay|ok|so|and|let's|let us|try to|"
    r"be sure to|make sure to|feel free to|go ahead and|just|step \d+)\b[\s,:]*"
    r"|(?:can|could|would|will)\s+you(?:\s+please)?\s+(?:help\s+(?:me|us)\s+(?:to\s+)?)?"
    r"|(?:i|we)(?:\s+would|'d)?\s+(?:want|need|like)\s+you\s+to\s+"
    r"|(?:your|the)\s+(?:task|job|goal)\s+is\s+to\s+|you\s+(?:are|have|need)\s+to\s+"
    r"|help\s+(?:me|us)\s+(?:to\s+)?|(?:how|where|when|what)\s+(?:do|can|could|should|would|might)\s+"
    r"(?:i|we|you|one)\s+|how\s+to\s+)"
)
_ASIDE = re.compile(
    r"(?:given|using|based|with|from|for|in|as|if|after|before|when|while|by|to|on|at|of|imagine|considering|"
    r"following|according)\Z"
)
_ADVERB = re.compile(r"(?!(?:ap|re|sup|multi|com|imp|re)ply\Z|rely\Z|fly\Z|ally\Z)\w+ly\Z")
_POLITE_ZH = re.compile(
    r"[\W\d_]*(?:请问|请你?帮(?:我|忙)|请您?|麻烦(?:你|您)?|帮(?:我|忙)|(?:你|您)?(?:能否|能不能|可以|可否|能)|试着|尝试|"
    r"(?:我们?|人们)?(?:如何|怎么样?|怎样|应该|要)|(?:我|你)(?:想|需要|要)(?:你)?|你|您|我)"
)
_IDEOGRAPHS = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_LONG_ZH = (
    "翻译|改写|重写|仿写|扩写|缩写|续写|编写|撰写|书写|写出|写作|总结|概括|归纳|提炼|生成|创作|设计|构思|列出|列举|描述|描写|解释|说明|"
    "阐述|论述|介绍|分析|比较|对比|判断|分类|归类|计算|求解|证明|推导|化简|提取|抽取|提出|推荐|建议|回答|修改|修正|纠正|改正|润色|转换|"
    "转化|替换|补充|填写|完成|制定|规划|安排|评价|评估|讨论|选择|选出|找出|识别|标注|排序|整理|组织|策划|模拟|扮演|检查|检测|校对|简化|"
    "压缩|合并|拆分|联想|想象|思考|举例|给出|指出|说出|讲述|讲解|编造|创造|构造|阅读|解答|解决|预测|估算|统计|列写|拟定|起草|命名"
)
_VERB_ZH = re.compile(rf"{_LONG_ZH}|[写列求算解证译编改讲]")
_ASIDE_ZH = re.compile(
    r"根据|按照?|基于|针对|通过|利用|使用|结合|作为|假[设如]|如果|关于|对于?|将|把|以|用|给|为|从|在|由|当|若|就|让"
)


def verbs_of(
    instructions: Sequence[str], language: Language = "en", *, most: int = 12
) -> tuple[tuple[str, int], ...]:
    """The verbs that instructions open with and how often, most frequent first; ties: the first seen.

    A rule of thumb for requests, some microseconds an instruction; figures that are reported come from
    ``measure/coverage``. An instruction without one counts for nothing.

    >>> verbs_of(["Write a poem.", "Please list three birds.", "Can you write a letter?"])
    (('write', 2), ('list', 1))
    >>> verbs_of(["请将下面的句子翻译成英文。", "写一首诗。"], "zh")
    (('翻译', 1), ('写', 1))
    """
    found = Counter(verb for text in instructions if (verb := verb_of(text, language)))
    return tuple(found.most_common(most))


def verb_of(instruction: str, language: Language = "en") -> str:
    """The verb that an instruction opens with, behind courtesies and asides; perhaps empty.

    In English the first word that is left, so a question counts under its question word. In Chinese a known
    verb at the start, or behind an opening such as 根据 or 将; else the first two ideographs.

    >>> [verb_of(text) for text in ("Given a word, define it.", "How do I bake bread?", "What is a noun?")]
    ['define', 'bake', 'what']
    """
    text = instruction[:_OPENING]
    return _chinese(text) if language == "zh" else _english(text.lower())


def _english(text: str) -> str:
    while polite := _POLITE.match(text):
        text = text[polite.end() :]
    words: list[str] = _WORDS.findall(text, 0, 80)
    if not words:
        return ""
    if _ASIDE.match(words[0]):
        comma = text.find(",")
        rest = _WORDS.findall(text, comma) if comma >= 0 else []
        words = rest if rest and not _ASIDE.match(rest[0]) else words
    return next((word for word in words if not _ADVERB.match(word)), words[0])


def _chinese(text: str) -> str:
    while polite := _POLITE_ZH.match(text):
        text = text[polite.end() :]
    runs = _IDEOGRAPHS.search(text)
    if not runs:
        return ""
    start = runs.start()
    if verb := _VERB_ZH.match(text, start):
        return verb[0]
    if _ASIDE_ZH.match(text, start) and (verb := _VERB_ZH.search(text, start + 1)):
        return verb[0]
    return runs[0][:2]
