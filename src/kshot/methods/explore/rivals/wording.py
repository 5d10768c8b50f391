"""What Self-Instruct writes to a model: some rows of a domain are shown, and more are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from kshot.methods.explore.prompts import example_line, one_line, prompt, section
from kshot.methods.explore.seams import ExplorePrompts, FillRequest, Language
from kshot.models.asking import Question

_PART: Final = "\n## "


@dataclass(frozen=True, slots=True)
class Words:
    """In one language: headings, and what stands under them."""

    purpose: tuple[str, str]
    domain: tuple[str, str, str]
    demonstrations: str
    wanted: tuple[str, str]
    none: str


WORDS: Final[Mapping[Language, Words]] = {
    "en": Words(
        purpose=(
            "Purpose",
            "We collect varied examples of what people ask of a language model in one domain. Continue the "
            "list with new ones: other subjects, other kinds of request, other verbs than those shown.",
        ),
        domain=("Domain", "Name: {}", "Description: {}"),
        demonstrations="Demonstrations",
        wanted=("Wanted", "Wanted: {} rows"),
        none="(none)",
    ),
    "zh": Words(
        purpose=(
            "目的",
            "我们正在收集某个领域里人们会向语言模型提出的各种要求。请接着往下写新的样例：题材、要求的类型和所用的动词"
            "都要与下面的示范不同。",
        ),
        domain=("领域", "名称：{}", "描述：{}"),
        demonstrations="示范",
        wanted=("数量", "数量：{} 条"),
        none="（无）",
    ),
}


def self_instruct_question(request: FillRequest, prompts: ExplorePrompts) -> Question:
    """The question of Self-Instruct: domain and demonstrations, and nothing of what is there already.

    The form of the reply, its check and its decoding are those of a request that fills a task, so that
    both methods are told the same about it.

    Example::

        question = self_instruct_question(request, standard("en"))
    """
    words = WORDS[prompts.language]
    usual = prompts.fill(request)
    heading, name, description = words.domain
    place = request.place
    parts = (
        section(*words.purpose),
        section(
            heading,
            [name.format(one_line(place.name)), description.format(one_line(place.reason) or words.none)],
        ),
        section(words.demonstrations, [example_line(item) for item in request.examples] or words.none),
        section(words.wanted[0], words.wanted[1].format(request.wanted)),
        "## " + usual.conversation[-1].content.rpartition(_PART)[2],  # how the reply is to be written
    )
    return replace(usual, conversation=(*usual.conversation[:-1], *prompt(parts)))
