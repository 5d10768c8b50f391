"""Conversations as tokens: the one place where text is rendered, tokenised and cut into prompt and target.

Generation, scoring, training and ``kshot validate`` read rows through the same ``TextFormat``. It stands on
the ``tokenizers`` library alone, so that a row can be shown token by token without a model and without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from jinja2.exceptions import TemplateError
from tokenizers import Encoding, Tokenizer

from kshot.data.example import Conversation, Message
from kshot.data.template import Target, plain_text
from kshot.errors import ModelError
from kshot.models.text.chat import chat_files, compiled, folded
from kshot.models.text.encoded import Encoded, overlaps

__all__ = ["Encoded", "TemplateChoice", "TextFormat", "mask_preview"]

TemplateChoice: TypeAlias = Literal["auto", "chat", "plain"]
_PROBE = "kshotprobe"


@final
class TextFormat:
    """How one model reads conversations.

    A chat template brings its own special tokens; plain text (``plain_text``) gets those that the tokenizer
    sets in front of any text by itself, and never an end token. Where the chat template refuses or drops a
    system turn, its text stands at the head of the next user turn. Templates that can think first are told
    not to (``enable_thinking=False``).

    Attributes:
        is_chat: Whether the chat template is used; ``auto`` uses it where the tokenizer has one.
        end_id: The token after a reply: what the chat template puts there, else the end-of-text token;
            None where the tokenizer names none.
    """

    def __init__(
        self,
        backend: Tokenizer,
        *,
        chat_template: str | None = None,
        special_tokens: Mapping[str, str] | None = None,
        template: TemplateChoice = "auto",
        name: str = "tokenizer",
    ) -> None:
        if template not in ("auto", "chat", "plain"):
            raise ModelError(f"{name}: template {template!r} is none of auto, chat, plain")
        if template == "chat" and chat_template is None:
            raise ModelError(f"{name}: the tokenizer has no chat template; use template plain or auto")
        self.backend = _without_limits(backend)
        self.is_chat = chat_template is not None and template != "plain"
        self.name = name
        self._special = dict(special_tokens or {})
        self._render = compiled(chat_template or "", name=name)

    @classmethod
    def load(cls, folder: str | Path, *, template: TemplateChoice = "auto") -> TextFormat:
        """The format of a model folder from its ``tokenizer.json``: no torch, no transformers, no network.

        Raises:
            ModelError: There is no ``tokenizer.json``, or a tokenizer file cannot be read.
        """
        folder = Path(folder)
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelError(
                f"{folder}: tokenizer.json is missing; save the tokenizer with "
                "AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
            )
        try:
            backend = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"{path}: cannot be read as a tokenizer ({error}); download it again") from error
        chat, special = chat_files(folder)
        return cls(backend, chat_template=chat, special_tokens=special, template=template, name=str(folder))

    @classmethod
    def of(cls, tokenizer: Any, *, template: TemplateChoice = "auto", name: str = "tokenizer") -> TextFormat:
        """The format of a loaded transformers tokenizer.

        Raises:
            ModelError: The tokenizer is a slow one, which cannot tell where its tokens stand in the text.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{name}: {type(tokenizer).__name__} is a slow tokenizer without character offsets; "
                "convert it to a tokenizer.json"
            )
        chat = tokenizer.chat_template
        if isinstance(chat, dict):
            chat = chat.get("default")
        special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if value}
        return cls(
            tokenizer.backend_tokenizer,
            chat_template=chat,
            special_tokens=special,
            template=template,
            name=name,
        )

    @cached_property
    def end_id(self) -> int | None:
        """See the class."""
        if self.is_chat:
            turns = (Message("user", "x"), Message("assistant", _PROBE))
            tail = self._rendered(turns, prompt=False).rpartition(_PROBE)[2]
            added = self.backend.get_added_tokens_decoder()
            found = [token for token in self._tokens(tail).ids if token in added and added[token].special]
            if found:
                return found[0]
        return self.special_id("eos_token")

    @cached_property
    def prefix_ids(self) -> tuple[int, ...]:
        """The special tokens that the tokenizer sets in front of plain text; empty for chat templates."""
        if self.is_chat:
            return ()
        probe = self.backend.encode("x", add_special_tokens=True)
        count = next((i for i, flag in enumerate(probe.special_tokens_mask) if not flag), 0)
        return tuple(probe.ids[:count])

    def special_id(self, name: str) -> int | None:
        """The id of ``bos_token``, ``eos_token``, ``pad_token`` ... or None."""
        token = self._special.get(name)
        return None if token is None else self.backend.token_to_id(token)

    def prompt(self, conversation: Conversation) -> str:
        """The text that a model continues with its reply.

        Raises:
            ModelError: The chat template refuses the conversation.
        """
        if not conversation:
            raise ModelError(f"{self.name}: a conversation without turns; expected at least a user turn")
        if not self.is_chat:
            return plain_text(conversation)
        turns = folded(conversation) if self._folds_system else conversation
        return self._rendered(turns, prompt=True) + self._lead[0]

    def encode_prompt(self, conversation: Conversation) -> list[int]:
        """The tokens that a model continues with its reply."""
        return [*self.prefix_ids, *self._tokens(self.prompt(conversation)).ids]

    def encode(self, conversation: Conversation, target: Target, *, end: bool = True) -> Encoded:
        """Prompt and target tokenised as one text; the end token follows unless ``end`` is off.

        A token belongs to the target if it ends beyond the prompt's last character, so one that spans the
        border is scored.

        Raises:
            ModelError: No token of the target is left to score, or none stands before it.
        """
        prompt = self.prompt(conversation)
        encoding = self._tokens(self.full_text(conversation, target))
        ids, offsets = encoding.ids, encoding.offsets
        first = next((i for i, (_, stop) in enumerate(offsets) if stop > len(prompt)), len(ids))
        closing = [self.end_id] if end and self.end_id is not None else []
        start = first + len(self.prefix_ids)
        if start == 0:
            raise ModelError(f"{self.name}: no token stands before the reply {target.text[:40]!r}")
        if first == len(ids) and not closing:
            raise ModelError(f"{self.name}: the reply {target.text[:40]!r} has no token to score")
        spans, shift = offsets[first:], len(prompt) + len(self._lead[1])
        return Encoded(
            (*self.prefix_ids, *ids, *closing),
            start,
            overlaps(spans, target.answer, shift=shift) + (False,) * len(closing),
            overlaps(spans, target.reasoning, shift=shift) + (False,) * len(closing),
            len(target.text),
        )

    def full_text(self, conversation: Conversation, target: Target) -> str:
        """Prompt and target as the one text that is tokenised, without the end token."""
        return self.prompt(conversation) + self._lead[1] + target.text

    def decode(self, ids: Sequence[int]) -> str:
        """The text of generated tokens: special ones, and the template's blank before a reply, left out."""
        return self.backend.decode(list(ids), skip_special_tokens=True).removeprefix(self._lead[1])

    @cached_property
    def _lead(self) -> tuple[str, str]:
        """What the template puts between its prompt and a reply: the prompt's part, then blanks.

        A template that knows no generation prompt leaves the head of the reply's turn to us. Blanks belong
        to the reply, as tokenizers join them with the word after.
        """
        if not self.is_chat:
            return "", ""
        turn = Message("user", "x")
        prompt = self._rendered((turn,), prompt=True)
        whole = self._rendered((turn, Message("assistant", _PROBE)), prompt=False)
        if not whole.startswith(prompt):
            return "", ""
        lead = whole[len(prompt) :].partition(_PROBE)[0]
        head = lead.rstrip(" ")
        return head, lead[len(head) :]

    @cached_property
    def _folds_system(self) -> bool:
        """Whether the chat template refuses or drops a system turn."""
        probe = (Message("system", _PROBE), Message("user", "x"))
        try:
            return _PROBE not in self._rendered(probe, prompt=True)
        except ModelError:
            return True

    def _rendered(self, turns: Conversation, *, prompt: bool) -> str:
        try:
            return self._render(
                messages=[{"role": turn.role, "content": turn.content} for turn in turns],
                add_generation_prompt=prompt,
                enable_thinking=False,
                **self._special,
            )
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            roles = ", ".join(turn.role for turn in turns[:8])
            raise ModelError(
                f"{self.name}: the chat template refuses the turns {roles} ({error}); use template plain"
            ) from error

    def _tokens(self, text: str) -> Encoding:
        return self.backend.encode(text, add_special_tokens=False)


def mask_preview(
    source: TextFormat | str | Path, conversation: Conversation, target: Target
) -> list[tuple[str, bool]]:
    """Every token of a row as text, and whether it is learned and scored.

    White space that no token holds is shown with the token after it.

    Args:
        source: A text format (``HfModel.text``), or a model folder with ``tokenizer.json``.
        conversation: What is asked.
        target: What is to be replied.

    Example::

        shown = mask_preview("models/llama", template.conversation(row), template.target(row))
        for token, is_target in shown:
            print(repr(token), is_target)
    """
    text = source if isinstance(source, TextFormat) else TextFormat.load(source)
    row = text.encode(conversation, target)
    full = text.full_text(conversation, target)
    encoding = text.backend.encode(full, add_special_tokens=False)
    shown, done = [_token(text, token) for token in text.prefix_ids], 0
    for token, (_, stop) in zip(encoding.ids, encoding.offsets, strict=True):
        shown.append(full[done:stop] if stop > done else _token(text, token))
        done = max(done, stop)
    shown += [_token(text, token) for token in row.ids[len(shown) :]]
    return [(token, i >= row.start) for i, token in enumerate(shown)]


def _token(text: TextFormat, token: int) -> str:
    return text.backend.id_to_token(token) or f"<{token}>"


def _without_limits(backend: Tokenizer) -> Tokenizer:
    """A copy that never cuts or pads, whatever the file asks for."""
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
