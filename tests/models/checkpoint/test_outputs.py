"""What was written, loaded as its users load it: the logits and vectors of a mix made in memory."""

from __future__ import annotations

import pytest
import torch
import transformers
from mix_folders import FAMILIES, LLAMAS, WEIGHTS, family, made, tensors

from kshot.models.checkpoint import plan_mix, write_mix
from kshot.models.hf.loading import quiet

CLASSES = {
    "reranker": "AutoModelForSequenceClassification",
    "t5": "AutoModelForSeq2SeqLM",
} | dict.fromkeys(LLAMAS, "AutoModelForCausalLM")
TEXT = "The capital of Peru is Lima"


def loaded(folder, name):
    with quiet():
        auto = getattr(transformers, CLASSES.get(name, "AutoModel"))
        return auto.from_pretrained(folder, local_files_only=True, dtype="auto").eval()


def answers(model, folder):
    words = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    ids = words(TEXT, return_tensors="pt")["input_ids"]
    also = {"decoder_input_ids": ids[:, :3]} if model.config.is_encoder_decoder else {}
    with torch.inference_mode():
        return model(input_ids=ids, **also)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_auto_classes_give_the_logits_of_a_mix_in_memory(tmp_path, name):
    folders = family(tmp_path, name)
    plan = plan_mix(folders, lineage=False)
    plan.check()
    write_mix(plan, WEIGHTS, tmp_path / "out")
    members, mix = [loaded(folder, name) for folder in folders], made(name)
    with torch.no_grad():
        for value, *parts in zip(mix.parameters(), *(member.parameters() for member in members), strict=True):
            value.copy_(sum(w * part.double() for w, part in zip(WEIGHTS, parts, strict=True)))
    found = loaded(tmp_path / "out", name)
    assert type(found) is type(members[0])
    torch.testing.assert_close(
        answers(found, tmp_path / "out"), answers(mix, folders[0]), rtol=1e-5, atol=1e-5
    )


class TestSentenceTransformers:
    @pytest.fixture
    def folders(self, tmp_path):
        """Three embedders with CLS pooling, a dense layer, normalisation and prompts."""
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

        places = []
        for at, plain in enumerate(family(tmp_path / "plain", "bert")):
            torch.manual_seed(at)
            modules = [
                Transformer(str(plain)),
                Pooling(64, pooling_mode="cls"),
                Dense(64, 16),
                Normalize(),
            ]
            model = SentenceTransformer(modules=modules, prompts={"query": "find: "}, device="cpu")
            places.append(tmp_path / f"st{at}")
            model.save(str(places[-1]), create_model_card=False)
        return places

    def test_modules_pooling_and_prompts_are_kept_and_dense_is_mixed(self, folders, tmp_path):
        from sentence_transformers import SentenceTransformer

        plan = plan_mix(folders, lineage=False)
        plan.check()
        write_mix(plan, WEIGHTS, tmp_path / "out")
        members = [SentenceTransformer(str(folder), device="cpu") for folder in folders]
        found = SentenceTransformer(str(tmp_path / "out"), device="cpu")
        assert [type(module).__name__ for module in found] == [type(m).__name__ for m in members[0]]
        assert found[1].get_config_dict() == members[0][1].get_config_dict()
        assert found.prompts["query"] == "find: "
        dense = sum(w * m[2].linear.weight.double() for w, m in zip(WEIGHTS, members, strict=True))
        torch.testing.assert_close(found[2].linear.weight.double(), dense, rtol=0, atol=1e-7)
        mix = members[0]
        with torch.no_grad():
            for value, *parts in zip(*(member.parameters() for member in members), strict=True):
                value.copy_(
                    sum(w * p.double() for w, p in zip(WEIGHTS, [value.clone(), *parts], strict=True))
                )
        torch.testing.assert_close(
            torch.tensor(found.encode([TEXT])), torch.tensor(mix.encode([TEXT])), rtol=1e-5, atol=1e-5
        )


def test_a_shared_head_is_written_once(tmp_path):
    folders = family(tmp_path, "llama-tied")
    write_mix(plan_mix(folders, lineage=False), WEIGHTS, tmp_path / "out")
    assert "lm_head.weight" not in tensors(tmp_path / "out")
    model = loaded(tmp_path / "out", "llama-tied")
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
