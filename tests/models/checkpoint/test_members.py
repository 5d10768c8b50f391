"""What can be opened as a member of a mix, and what is refused before anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from header_folders import LLAMA, bert_tensors, llama_tensors, sentence_model, write_json, write_model
from mix_folders import FAMILIES, family
from small_bank import write_adapter
from tiny_kinds import bart, decoder_reranker, encoder, reranker, sentence_folder

from kshot.errors import AdapterError, ModelError
from kshot.models.checkpoint.members import kind_of, open_member
from kshot.models.checkpoint.weight_files import left_out, stored_tensors

KINDS = {"bert": "encoder", "reranker": "reranker", "xlm-roberta": "encoder", "modernbert": "encoder",
         "t5": "encoder-decoder"}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_a_transformers_folder_of_every_family(tmp_path, name):
    member = open_member(family(tmp_path, name, count=1)[0])
    assert kind_of(member) == KINDS.get(name, "decoder")
    assert not member.is_lora
    assert member.config["architectures"]
    assert all("/" not in key and tensor.name == key for key, tensor in member.tensors.items())


def test_a_sentence_transformers_folder_has_the_tensors_of_all_modules(tmp_path):
    folder = sentence_folder(tmp_path / "st", encoder(tmp_path / "plain"))
    member = open_member(folder)
    assert kind_of(member) == "encoder"
    assert member.tensors["2_Dense/linear.weight"].shape == (16, 32)
    assert member.tensors["2_Dense/linear.weight"].name == "linear.weight"
    assert len(member.tensors) == 41
    assert member.config["model_type"] == "bert"


def test_the_older_layout_has_its_transformer_in_a_sub_folder(tmp_path):
    member = open_member(sentence_model(tmp_path / "old", first="0_Transformer"))
    assert member.config["model_type"] == "bert"
    assert "0_Transformer/embeddings.word_embeddings.weight" in member.tensors
    assert "2_Dense/linear.bias" in member.tensors


def test_more_kinds(tmp_path):
    assert kind_of(open_member(reranker(tmp_path / "r"))) == "reranker"
    assert kind_of(open_member(decoder_reranker(tmp_path / "d"))) == "reranker"
    assert kind_of(open_member(bart(tmp_path / "b"))) == "encoder-decoder"


def test_a_cross_encoder_folder_is_a_reranker(tmp_path):
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(reranker(tmp_path / "plain")), device="cpu").save(str(tmp_path / "saved"))
    assert (tmp_path / "saved" / "modules.json").is_file()
    assert kind_of(open_member(tmp_path / "saved")) == "reranker"


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"architectures": ["T5EncoderModel"], "is_encoder_decoder": True}, "encoder"),
        ({"architectures": ["BertForMaskedLM"]}, "encoder"),
        ({"architectures": ["GPT2LMHeadModel"]}, "decoder"),
        ({"architectures": ["LlamaForTokenClassification"]}, None),
        ({"architectures": []}, None),
        ({"model_type": "llama"}, None),
    ],
)
def test_the_kind_is_told_or_asked_for(tmp_path, config, kind):
    write_model(tmp_path / "m", config={"model_type": "x"} | config)
    member = open_member(tmp_path / "m")
    if kind is None:
        with pytest.raises(ModelError, match=r"--kind.*decoder, encoder"):
            kind_of(member)
    else:
        assert kind_of(member) == kind


def test_a_lora_adapter(tmp_path):
    member = open_member(write_adapter(tmp_path / "a", task_type="CAUSAL_LM"))
    assert member.is_lora
    assert member.tensors == {}
    assert len(member.pairs) == 4
    assert kind_of(member) == "decoder"


def test_a_shared_output_layer_is_counted_once_where_the_config_ties_it(tmp_path):
    tensors = llama_tensors()
    tied = open_member(write_model(tmp_path / "tied", tensors, tie_word_embeddings=True))
    untied = open_member(write_model(tmp_path / "untied", tensors))
    silent = {key: value for key, value in LLAMA.items() if key != "tie_word_embeddings"}
    unsaid = open_member(write_model(tmp_path / "unsaid", tensors, silent))
    assert "lm_head.weight" not in tied.tensors
    assert "lm_head.weight" in untied.tensors
    assert "lm_head.weight" in unsaid.tensors  # two stored tensors may differ, so both are kept


class TestRefused:
    def test_no_such_folder(self, tmp_path):
        with pytest.raises(ModelError, match="no such folder"):
            open_member(tmp_path / "nowhere")

    @pytest.mark.parametrize("name", ["", " ", "x" * 5000])
    def test_no_name_at_all(self, name):
        with pytest.raises(ModelError):
            open_member(name)

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(ModelError, match=r"config\.json, modules\.json or adapter_config\.json"):
            open_member(tmp_path)

    def test_no_weights(self, tmp_path):
        write_json(tmp_path / "config.json", LLAMA)
        with pytest.raises(ModelError, match=r"no \*\.safetensors"):
            open_member(tmp_path)

    def test_pickles_alone(self, tmp_path):
        write_json(tmp_path / "config.json", LLAMA)
        (tmp_path / "pytorch_model.bin").write_bytes(b"never opened")
        with pytest.raises(ModelError, match=r"pickled weights only.*LlamaForCausalLM.*save_pretrained"):
            open_member(tmp_path)

    def test_the_advice_for_pickles_runs_no_code_of_the_config(self, tmp_path):
        write_json(tmp_path / "config.json", LLAMA | {"architectures": ["x; import os"]})
        (tmp_path / "pytorch_model.bin").write_bytes(b"never opened")
        with pytest.raises(ModelError, match="AutoModel") as caught:
            open_member(tmp_path)
        assert "import os" not in str(caught.value)

    def test_a_pickled_module(self, tmp_path):
        folder = sentence_model(tmp_path / "st")
        (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
        with pytest.raises(ModelError, match=r"2_Dense: has pickled weights only.*SentenceTransformer"):
            open_member(folder)

    def test_a_pickled_adapter(self, tmp_path):
        folder = write_adapter(tmp_path / "a")
        (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
        with pytest.raises(AdapterError, match="pickled"):
            open_member(folder)

    def test_more_than_s_b_a(self, tmp_path):
        with pytest.raises(AdapterError, match="DoRA"):
            open_member(write_adapter(tmp_path / "a", use_dora=True))

    def test_a_model_and_an_adapter_in_one_folder(self, tmp_path):
        write_adapter(write_model(tmp_path / "m"))
        with pytest.raises(ModelError, match="two folders"):
            open_member(tmp_path / "m")

    @pytest.mark.parametrize("cut", [4, 200, 1])
    def test_a_truncated_file(self, tmp_path, cut):
        path = write_model(tmp_path / "m") / "model.safetensors"
        path.write_bytes(path.read_bytes()[: cut if cut > 1 else -1])
        with pytest.raises(ModelError, match=r"cut short|damaged"):
            open_member(tmp_path / "m")

    def test_one_tensor_in_two_files(self, tmp_path):
        write_model(tmp_path / "m")
        write_model(tmp_path / "m", {"lm_head.weight": [[1.0]]}, file="old.safetensors")
        with pytest.raises(ModelError, match=r"lm_head\.weight stands in model\.safetensors and in old"):
            open_member(tmp_path / "m")

    def test_a_module_folder_outside(self, tmp_path):
        folder = sentence_model(tmp_path / "st")
        entries = json.loads((folder / "modules.json").read_text())
        for path in ("../other", "/etc"):
            entries[1]["path"] = path
            write_json(folder / "modules.json", entries)
            with pytest.raises(ModelError, match="outside"):
                open_member(folder)

    def test_a_missing_module_folder(self, tmp_path):
        folder = sentence_model(tmp_path / "st")
        (folder / "1_Pooling" / "config.json").unlink()
        (folder / "1_Pooling").rmdir()
        with pytest.raises(ModelError, match="1_Pooling is missing"):
            open_member(folder)

    def test_a_damaged_config(self, tmp_path):
        (write_model(tmp_path / "m") / "config.json").write_text("{")
        with pytest.raises(ModelError, match=r"config\.json"):
            open_member(tmp_path / "m")

    def test_two_revisions(self):
        with pytest.raises(ModelError, match="give one"):
            open_member("owner/model@v1", revision="v2")


class TestShards:
    def sharded(self, folder: Path) -> Path:
        tensors = llama_tensors()
        names = sorted(tensors)
        parts = {"model-00001-of-00002.safetensors": names[:3], "model-00002-of-00002.safetensors": names[3:]}
        for file, some in parts.items():
            write_model(folder, {name: tensors[name] for name in some}, file=file)
        listed = {name: file for file, some in parts.items() for name in some}
        write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": listed})
        return folder

    def index(self, folder):
        return json.loads((folder / "model.safetensors.index.json").read_text())

    def test_all_shards_are_read(self, tmp_path):
        found = open_member(self.sharded(tmp_path / "m")).tensors
        assert found.keys() == llama_tensors().keys()
        assert len({tensor.path for tensor in found.values()}) == 2

    def test_a_missing_shard(self, tmp_path):
        (self.sharded(tmp_path / "m") / "model-00002-of-00002.safetensors").unlink()
        with pytest.raises(ModelError, match="00002-of-00002"):
            open_member(tmp_path / "m")

    @pytest.mark.parametrize("change", ["more", "less", "moved"])
    def test_an_index_that_lies(self, tmp_path, change):
        index = self.index(self.sharded(tmp_path / "m"))
        if change == "more":
            index["weight_map"]["ghost.weight"] = "model-00001-of-00002.safetensors"
        elif change == "less":
            del index["weight_map"]["lm_head.weight"]
        else:
            index["weight_map"]["lm_head.weight"] = "model-00002-of-00002.safetensors"
        write_json(tmp_path / "m" / "model.safetensors.index.json", index)
        with pytest.raises(ModelError, match="disagree on 1 tensors"):
            open_member(tmp_path / "m")

    def test_an_index_that_leads_outside(self, tmp_path):
        index = self.index(self.sharded(tmp_path / "m"))
        index["weight_map"]["lm_head.weight"] = "../other/model.safetensors"
        write_json(tmp_path / "m" / "model.safetensors.index.json", index)
        with pytest.raises(ModelError, match="same folder"):
            open_member(tmp_path / "m")

    def test_a_single_file_beside_an_index(self, tmp_path):
        write_model(self.sharded(tmp_path / "m"))
        with pytest.raises(ModelError, match="keep one"):
            open_member(tmp_path / "m")


def test_another_layout_of_the_weights_is_left_out_and_an_extra_file_is_not(tmp_path):
    folder = write_model(tmp_path / "m")
    write_model(folder, {"layers.0.wq": [[1.0]]}, file="consolidated.safetensors")
    write_model(folder, {"sparse.weight": [[1.0]]}, file="sparse_linear.safetensors")
    assert left_out(folder) == ("consolidated.safetensors",)
    assert stored_tensors(folder).keys() == {*llama_tensors(), "sparse.weight"}


class TestHub:
    """The hub's client is replaced: what matters is what it is asked for."""

    def test_name_and_revision(self, tmp_path, monkeypatch):
        import huggingface_hub

        asked = {}
        folder = write_model(tmp_path / "snapshot", bert_tensors())

        def fetch(name, **options):
            asked.update(options, name=name)
            return str(folder)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
        member = open_member("owner/model@v1.0")
        assert (asked["name"], asked["revision"], member.revision) == ("owner/model", "v1.0", "v1.0")
        assert (member.name, member.folder) == ("owner/model@v1.0", folder)
        patterns = asked["allow_patterns"]
        assert {"*.safetensors", "*.json", "*_linear.pt", "LICENSE*", "*.py", "README.md"} <= set(patterns)
        assert not {"*.bin", "*.pt", "*"} & set(patterns)

    def test_the_commit_is_told_where_none_was_named(self, tmp_path, monkeypatch):
        import huggingface_hub

        commit = "0123456789abcdef0123456789abcdef01234567"
        folder = write_model(tmp_path / "models--owner--model" / "snapshots" / commit)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
        assert open_member("owner/model").revision == commit

    def test_a_local_folder_has_no_revision(self, tmp_path):
        assert open_member(write_model(tmp_path / "m"), revision="v1").revision is None


def test_nothing_heavy_is_loaded(tmp_path):
    folder = write_model(tmp_path / "m")
    code = (
        "import sys\n"
        "from kshot.models.checkpoint.members import open_member\n"
        "from kshot.models.checkpoint.checks import find_problems\n"
        "from kshot.models.checkpoint.lineage import lineage\n"
        f"one = open_member({str(folder)!r})\n"
        "find_problems([one, one], base=0), lineage([one, one], base=0)\n"
        "print(sorted({'torch', 'transformers', 'peft', 'sentence_transformers'} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert out.stdout.strip() == "[]"
