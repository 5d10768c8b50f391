"""A transformers causal language model behind the seams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from kshot.data.example import Conversation
from kshot.data.template import Target
from kshot.models.base import ChoiceScores, Reply, TokenLosses
from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.choices import choice_scores
from kshot.models.hf.generate import Decoding, generate_replies
from kshot.models.hf.loading import (
    Loaded,
    assemble,
    check_folder,
    folder_hash,
    load_model,
    pick_device,
    resolved,
)
from kshot.models.hf.losses import token_losses
from kshot.models.text.text_format import TemplateChoice, TextFormat


@final
class HfModel:
    """A ``LanguageModel`` and ``LossModel`` over a transformers folder or hub name.

    Example::

        model = HfModel.load("models/qwen3-0.6b")
        model.generate([template.conversation(row) for row in rows], max_new_tokens=32)
        model.adapted("bank/legal").generate(...)

    Attributes:
        loaded: The model, how it reads text, and its limits.
        tokenizer: The transformers tokenizer.
    """

    def __init__(self, loaded: Loaded, tokenizer: Any, *, id: str) -> None:  # noqa: A002 - the seam's word
        self.loaded = loaded
        self.tokenizer = tokenizer
        self._id = id

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        template: TemplateChoice = "auto",
        batch_tokens: int = 8192,
    ) -> HfModel:
        """A model from a folder, or from the hub at a revision; safetensors only, no remote code.

        Args:
            path_or_id: A folder, or a hub name.
            revision: Of the hub.
            dtype: ``auto`` is float32 on a CPU, else the checkpoint's own; or float32, bfloat16, float16.
            device: ``auto`` is the first of cuda, mps, cpu.
            template: ``auto`` takes the chat template where there is one; or chat, plain.
            batch_tokens: Padded tokens in a batch; a batch that runs out of memory is halved.

        Raises:
            ModelError: The folder cannot be used; the message says what to do.
        """
        folder = resolved(path_or_id, revision=revision)
        check_folder(folder)
        on = pick_device(device)
        model, tokenizer = load_model(folder, dtype=dtype, device=on)
        loaded = assemble(
            model, tokenizer, template=template, batch_tokens=batch_tokens, name=str(path_or_id)
        )
        mode = "chat" if loaded.text.is_chat else "plain"
        digest = folder_hash(folder, mode, str(model.dtype), on.type)
        return cls(loaded, tokenizer, id=f"{path_or_id}@{digest}")

    @property
    def id(self) -> str:
        """The path or name as given, and a hash of weights, configuration, tokenizer, template, dtype."""
        return self._id

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self.loaded.model

    @property
    def text(self) -> TextFormat:
        """How conversations become tokens."""
        return self.loaded.text

    @property
    def learning_rate(self) -> float:
        """For adapters, where nothing else is asked for: 2e-4 suits widths of 2048 and more.

        Below, the rate of Adam grows as the width shrinks.
        """
        width: int = self.model.config.get_text_config().hidden_size
        return 2e-4 * max(1.0, 2048 / width)

    def count_tokens(self, conversations: Sequence[Conversation]) -> list[int]:
        """Tokens of each prompt."""
        return [len(self.text.encode_prompt(conversation)) for conversation in conversations]

    def adapted(self, folder: str | Path) -> AdaptedModel:
        """This model with the adapter of a PEFT folder; weights are shared and this model stays as it is.

        Raises:
            AdapterError: The adapter does not fit this model.
        """
        return AdaptedModel(self.loaded, folder, base_id=self.id)

    def generate(
        self,
        conversations: Sequence[Conversation],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[Reply]:
        """One reply a conversation, in order; see ``generate_replies``."""
        decoding = Decoding(max_new_tokens, temperature, seed, stop)
        return generate_replies(self.loaded, conversations, decoding)

    def token_losses(
        self, conversations: Sequence[Conversation], targets: Sequence[Target]
    ) -> list[TokenLosses]:
        """Losses of each target after its conversation, in order."""
        return token_losses(self.loaded, conversations, targets)

    def choice_scores(
        self, conversations: Sequence[Conversation], choices: Sequence[Sequence[str]]
    ) -> list[ChoiceScores]:
        """Log-likelihood of every choice of every row as the next reply."""
        return choice_scores(self.loaded, conversations, choices)
