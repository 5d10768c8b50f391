"""Tiny random encoders, rerankers and encoder-decoders, and the models of the golden losses, as folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

SHARED = Path(__file__).parents[3] / "shared" / "data" / "cocktail_examples" / "llm_examples.json"
SIZE = {
    "vocab_size": 500, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4,
}  # fmt: skip
SMALL = {"hidden_size": 32, "intermediate_size": 48, "initializer_range": 0.3}
TEXTS = ["Which river flows through Lima? The Rimac does.", "a bicycle, a cup of tea and a long train ride"]
BERT_SPECIAL = {
    "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}  # fmt: skip


def bpe(texts: Sequence[str], special: Sequence[str], *, size: int = 500) -> Tokenizer:
    """A byte-level BPE without a prefix space."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def bert_tokenizer(texts: Sequence[str] = TEXTS, **options: str) -> PreTrainedTokenizerFast:
    backend = bpe(texts, list(BERT_SPECIAL.values()))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **BERT_SPECIAL, **options)


def t5_tokenizer(*, ends: bool = True, start: bool = False) -> PreTrainedTokenizerFast:
    backend = bpe(TEXTS, ["<pad>", "<s>", "</s>"])
    single = ("<s> " if start else "") + "$A" + (" </s>" if ends else "")
    backend.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def encoder(folder: Path, *, seed: int = 0, positions: int = 64) -> Path:
    """A plain BERT folder."""
    set_seed(seed)
    BertModel(BertConfig(**SIZE | SMALL, max_position_embeddings=positions)).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return folder


def roberta(folder: Path) -> Path:
    """A plain RoBERTa folder: 34 positions, of which two are never used."""
    set_seed(0)
    RobertaModel(RobertaConfig(**SIZE | SMALL, max_position_embeddings=34, pad_token_id=1)).save_pretrained(
        folder
    )
    made = bert_tokenizer()
    made.save_pretrained(folder)
    return folder


def sentence_folder(folder: Path, plain: Path, *, prompts=None, similarity=None, dense: bool = True) -> Path:
    """A sentence-transformers folder: mean pooling, a Dense module, no normalisation."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import Pooling

    set_seed(0)
    transformer = SentenceTransformer(str(plain), device="cpu")[0]
    modules = [transformer, Pooling(32, "mean"), *([Dense(32, 16)] if dense else [])]
    SentenceTransformer(modules=modules, prompts=prompts, similarity_fn_name=similarity, device="cpu").save(
        str(folder)
    )
    return folder


def reranker(folder: Path, *, labels: Sequence[str] = ("score",), seed: int = 0) -> Path:
    set_seed(seed)
    config = BertConfig(
        **SIZE | SMALL, max_position_embeddings=64, num_labels=len(labels), id2label=dict(enumerate(labels))
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    bert_tokenizer().save_pretrained(folder)
    return folder


def decoder_reranker(folder: Path) -> Path:
    """A Llama with one output, and no pad token."""
    set_seed(0)
    config = LlamaConfig(
        **SIZE | SMALL, num_key_value_heads=2, max_position_embeddings=64, num_labels=1, pad_token_id=None
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    backend = bpe(TEXTS, ["<s>", "</s>"])
    PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>").save_pretrained(folder)
    return folder


def t5(folder: Path, *, ends: bool = True) -> Path:
    set_seed(0)
    config = T5Config(
        vocab_size=500, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=2, initializer_factor=1.5,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    t5_tokenizer(ends=ends).save_pretrained(folder)
    return folder


def bart(folder: Path) -> Path:
    """A BART of 24 positions; its tokenizer sets both a start and an end token."""
    set_seed(0)
    config = BartConfig(
        vocab_size=500, d_model=32, encoder_ffn_dim=48, decoder_ffn_dim=48, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=24,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
        init_std=0.3,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(folder)
    t5_tokenizer(start=True).save_pretrained(folder)
    return folder


def golden_decoders(place: Path) -> list[Path]:
    """Three Llamas: a base, and it with noise of .02 and .05."""
    texts = _golden_texts()
    backend = bpe(texts, ["<pad>", "<s>", "</s>"])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    config = LlamaConfig(
        **SIZE, num_key_value_heads=2, max_position_embeddings=2048, tie_word_embeddings=False,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    set_seed(0)
    base = LlamaForCausalLM(config)
    made = [
        base,
        *(_noised(LlamaForCausalLM, config, base, seed=i, noise=e) for i, e in [(1, 0.02), (2, 0.05)]),
    ]
    return _saved(made, tokenizer, place)


def golden_encoders(place: Path) -> list[Path]:
    """Three BERTs: a base with noise of 0, .02 and .05."""
    config = BertConfig(**SIZE, max_position_embeddings=512)
    set_seed(0)
    base = BertModel(config)
    noises = enumerate((0.0, 0.02, 0.05))
    made = [_noised(BertModel, config, base, seed=10 + i, noise=noise) for i, noise in noises]
    return _saved(made, bert_tokenizer(_golden_texts()), place)


def _noised(kind, config, base, *, seed: int, noise: float):
    """A model built after the seed, so that the noise is drawn from where building has left off."""
    set_seed(seed)
    made = kind(config)
    with torch.no_grad():
        for mine, theirs in zip(made.parameters(), base.parameters(), strict=True):
            mine.copy_(theirs + noise * torch.randn_like(theirs))
    return made


def _saved(made, tokenizer, place: Path) -> list[Path]:
    folders = [place / str(number) for number in range(len(made))]
    for model, folder in zip(made, folders, strict=True):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folders


def _golden_texts() -> list[str]:
    tasks = json.loads(SHARED.read_text(encoding="utf-8"))
    return [f"{row['input']} {row['output']}" for rows in tasks.values() for row in rows]
