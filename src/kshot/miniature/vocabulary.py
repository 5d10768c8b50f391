"""Words to token ids, and the tokenizer folder that does the same for transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kshot.miniature.skills import Turn
from kshot.miniature.world import World

PAD, UNKNOWN, END = "<pad>", "<unk>", "<end>"
ROLES = {"system": "<system>", "user": "<user>", "assistant": "<assistant>"}
SPECIAL = (PAD, UNKNOWN, END, *ROLES.values())

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if not loop.first %} {% endif -%}"
    "{{- '<' + message['role'] + '> ' + message['content'] -}}"
    "{%- if message['role'] == 'assistant' %} <end>{% endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt %} <assistant>{% endif -%}"
)


def token_ids(world: World) -> dict[str, int]:
    """The id of every token: special ones first, then the world's vocabulary in its order."""
    return {token: i for i, token in enumerate((*SPECIAL, *world.vocabulary))}


def words_of(text: str) -> list[str]:
    r"""Tokens of a text: split at spaces, a line break is a token.

    >>> words_of("lamp river\nzank is lamp")
    ['lamp', 'river', '\n', 'zank', 'is', 'lamp']
    """
    return [word for word in text.replace("\n", " \n ").split(" ") if word]


def encode(turns: Iterable[Turn], ids: dict[str, int]) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation as the chat template writes it, and which of them are learned."""
    tokens: list[int] = []
    learned: list[bool] = []
    for turn in turns:
        body = words_of(turn.content) + ([END] if turn.role == "assistant" else [])
        tokens += [ids[ROLES[turn.role]], *(ids[word] for word in body)]
        learned += [False] + [turn.learned] * len(body)
    return tokens, learned


def first_line(tokens: Sequence[str]) -> str:
    """The answer of a reply: its tokens up to the first line break or end."""
    kept = list(tokens)
    for stop in (END, "\n", PAD):
        kept = kept[: kept.index(stop)] if stop in kept else kept
    return " ".join(kept)


def save_tokenizer(world: World, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel(token_ids(world), unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[ \t\r]+"), behavior="removed"),
            pre_tokenizers.Split(Regex("\n"), behavior="isolated"),
        ]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        additional_special_tokens=list(ROLES.values()),
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
