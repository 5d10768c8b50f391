"""What stands beside the weights of a mix: everything of the base, and nothing that would be wrong there."""

from __future__ import annotations

import json
import shutil

import pytest
from header_folders import BERT, bert_tensors, sentence_model, write_json, write_model
from tiny_kinds import encoder, sentence_folder

from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.side_files import side_file_problems, side_files


def names(folder, *others, **options):
    members = [open_member(one) for one in (folder, *others)]
    copies, texts = side_files(members[0], members, **options)
    return set(copies), set(texts)


def refused(*folders):
    members = [open_member(folder) for folder in folders]
    return side_file_problems(members[0], members)


def test_all_small_files_of_the_base_and_no_others(tmp_path):
    folder = write_model(tmp_path / "m")
    kept = {
        "config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "vocab.txt",
        "merges.txt", "tokenizer.model", "chat_template.jinja", "preprocessor_config.json", "LICENSE",
        "NOTICE.txt", "additional_chat_templates/tool.jinja", "qwen.tiktoken", "special_tokens_map.json",
    }  # fmt: skip
    left = {
        "README.md", "pytorch_model.bin", "model.safetensors.index.json.txt.bak", "training_args.bin",
        "optimizer.pt", "trainer_state.json", "all_results.json", "rng_state.pth", "flax_model.msgpack",
        "tf_model.h5", ".gitattributes", ".hidden.json", "modeling.py", "onnx/config.json", "kshot_mix.json",
        "checkpoint-3/config.json", "pytorch_model.bin.index.json", "eval_results.json", "image.png",
    }  # fmt: skip
    for name in kept | left:
        (folder / name).parent.mkdir(exist_ok=True)
        if not (folder / name).exists():
            (folder / name).write_text("{}")
    assert names(folder) == (kept, set())


def test_copies_lie_in_the_base(tmp_path):
    base, other = write_model(tmp_path / "a"), write_model(tmp_path / "b")
    (other / "extra.json").write_text("{}")
    members = [open_member(other), open_member(base)]
    copies, _ = side_files(members[1], members)
    assert "extra.json" not in copies
    assert all(path == base / name for name, path in copies.items())


def test_an_embedder_keeps_its_modules(tmp_path):
    folder = sentence_folder(tmp_path / "st", encoder(tmp_path / "plain"), prompts={"query": "q: "})
    found, _ = names(folder)
    assert {
        "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
        "1_Pooling/config.json",
        "2_Dense/config.json", "config.json", "tokenizer.json",
    } <= found  # fmt: skip
    assert not any(name.endswith((".safetensors", ".md")) for name in found)


def test_side_files_and_weights_make_a_loadable_embedder(tmp_path):
    from sentence_transformers import SentenceTransformer

    folder = sentence_folder(tmp_path / "st", encoder(tmp_path / "plain"), prompts={"query": "q: "})
    member = open_member(folder)
    copies, texts = side_files(member, [member])
    out = tmp_path / "out"
    for name, path in copies.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / name)
    for path in {tensor.path for tensor in member.tensors.values()}:
        shutil.copyfile(path, out / path.relative_to(folder))
    assert texts == {}
    one, two = (SentenceTransformer(str(place), device="cpu") for place in (folder, out))
    assert (one.encode(["a text"]) == two.encode(["a text"])).all()
    assert one.prompts == two.prompts


def test_the_dtype_of_the_output(tmp_path):
    folder = write_model(
        tmp_path / "m", dtype="float32", text_config={"torch_dtype": "float32", "x": {"dtype": 3}}
    )
    member = open_member(folder)
    copies, texts = side_files(member, [member], dtype="bfloat16")
    config = json.loads(texts["config.json"])
    assert config["dtype"] == "bfloat16"
    assert config["text_config"] == {"torch_dtype": "bfloat16", "x": {"dtype": 3}}
    assert "config.json" not in copies
    assert list(config) == list(member.config)


def test_a_config_without_dtype_gets_one_in_its_sub_folder(tmp_path):
    member = open_member(sentence_model(tmp_path / "st", first="0_Transformer"))
    copies, texts = side_files(member, [member], dtype="float16")
    assert json.loads(texts["0_Transformer/config.json"])["dtype"] == "float16"
    assert "0_Transformer/tokenizer.json" in copies
    assert "0_Transformer/config.json" not in copies


def test_code_goes_along_where_the_config_maps_to_it(tmp_path):
    folder = write_model(tmp_path / "m", auto_map={"AutoModel": "modeling_x.Model"})
    (folder / "modeling_x.py").write_text("# code")
    assert "modeling_x.py" in names(folder)[0]


class TestPickledHeads:
    def folders(self, tmp_path, *contents):
        made = []
        for at, content in enumerate(contents):
            folder = write_model(tmp_path / f"m{at}", bert_tensors(), BERT)
            if content is not None:
                (folder / "sparse_linear.pt").write_bytes(content)
            made.append(folder)
        return made

    def test_equal_ones_are_copied_unopened(self, tmp_path):
        folders = self.folders(tmp_path, b"not a pickle", b"not a pickle")
        assert refused(*folders) == ()
        assert "sparse_linear.pt" in names(*folders)[0]

    def test_different_ones_are_refused(self, tmp_path):
        (said,) = refused(*self.folders(tmp_path, b"one", b"two"))
        assert "sparse_linear.pt differs between the members" in said
        assert "sparse_linear.safetensors" in said

    @pytest.mark.parametrize("contents", [(b"one", None), (None, b"one")])
    def test_a_member_without_is_refused(self, tmp_path, contents):
        (said,) = refused(*self.folders(tmp_path, *contents))
        assert "lacks sparse_linear.pt" in said

    def test_other_copies_of_the_weights_do_not_matter(self, tmp_path):
        folders = self.folders(tmp_path, None, None)
        (folders[0] / "pytorch_model.bin").write_bytes(b"x")
        (folders[1] / "training_args.bin").write_bytes(b"x")
        assert refused(*folders) == ()


class TestLinks:
    def test_a_link_that_leads_outside_is_refused_and_not_copied(self, tmp_path):
        folder = write_model(tmp_path / "m")
        secret = tmp_path / "secret.txt"
        secret.write_text("secret")
        (folder / "vocab.txt").symlink_to(secret)
        (said,) = refused(folder)
        assert "vocab.txt is a link that leads outside" in said
        assert "vocab.txt" not in names(folder)[0]

    def test_the_hubs_cache_is_made_of_links(self, tmp_path):
        blobs = tmp_path / "models--owner--m" / "blobs"
        folder = tmp_path / "models--owner--m" / "snapshots" / "abc"
        write_model(folder)
        blobs.mkdir()
        for at, path in enumerate(sorted(folder.iterdir())):
            path.rename(blobs / str(at))
            path.symlink_to(f"../../blobs/{at}")
        assert refused(folder) == ()
        assert names(folder)[0] == {"config.json", "tokenizer.json", "tokenizer_config.json"}

    def test_a_folder_that_is_a_link_itself(self, tmp_path):
        write_model(tmp_path / "m")
        (tmp_path / "link").symlink_to(tmp_path / "m")
        assert refused(tmp_path / "link") == ()
        assert "config.json" in names(tmp_path / "link")[0]

    def test_a_link_within_the_folder(self, tmp_path):
        folder = write_model(tmp_path / "m")
        write_json(folder / "vocab.json", {})
        (folder / "special_tokens_map.json").symlink_to("vocab.json")
        assert refused(folder) == ()
