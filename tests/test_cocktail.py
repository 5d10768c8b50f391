"""LM-Cocktail's names: the calls that its users make, and what comes back."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from mix_folders import family, reference, tensors

from kshot.cocktail import mix_models, mix_models_by_layers, mix_models_with_data
from kshot.errors import InputError
from kshot.methods.cocktail import mixing_weights
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.resident import score_members
from kshot.models.kinds.options import KindOptions
from kshot.models.kinds.rows import mixing_rows_of

ROWS = [{"input": f"Review {n}: dull. Positive or negative?", "output": f"negative {n}"} for n in range(3)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return [str(place) for place in family(tmp_path_factory.mktemp("family"))]


def test_names_order_and_defaults() -> None:
    signature = inspect.signature(mix_models_with_data)
    assert list(signature.parameters)[:8] == [
        "model_names_or_paths", "model_type", "example_data", "temperature", "batch_size",
        "max_input_length", "neg_number", "output_path",
    ]  # fmt: skip
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    assert (defaults["temperature"], defaults["batch_size"]) == (5.0, 2)
    assert (defaults["max_input_length"], defaults["neg_number"]) == (2048, 7)


@pytest.mark.parametrize("call", [mix_models, mix_models_by_layers])
def test_given_weights(models, tmp_path, call, capfd) -> None:
    out = tmp_path / "mixed"
    model = call(
        model_names_or_paths=models, model_type="decoder", weights=[0.5, 0.3, 0.2], output_path=str(out)
    )
    expected = reference(map(Path, models), (0.5, 0.3, 0.2))
    for name, value in tensors(out).items():
        np.testing.assert_allclose(value.numpy(), expected[name], atol=2e-7)
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), value.numpy())
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("keyword", ["example_data", "example_ata"])
def test_weights_from_data_are_the_papers(models, keyword) -> None:
    model = mix_models_with_data(models, "decoder", temperature=0.1, **{keyword: ROWS})
    options = KindOptions(boundary="paper", pooling="compat")
    own = score_members([open_member(m) for m in models], "decoder", mixing_rows_of(ROWS), options=options)
    weights = mixing_weights([each.mean("paper", batch_size=2) for each in own], temperature=0.1)
    expected = reference(map(Path, models), weights)
    name = "model.layers.1.mlp.up_proj.weight"
    np.testing.assert_allclose(model.state_dict()[name].numpy(), expected[name], atol=2e-6)


def test_encoders_and_rerankers(tmp_path) -> None:
    encoders = [str(place) for place in family(tmp_path, "bert", count=2)]
    assert type(mix_models(encoders, "encoder", [0.5, 0.5])).__name__ == "BertModel"
    rankers = [str(place) for place in family(tmp_path, "reranker", count=2)]
    model = mix_models(rankers, "reranker", [0.5, 0.5])
    assert model.config.num_labels == 1


@pytest.mark.parametrize(
    ("weights", "kind", "words"),
    [
        ([0.2, 0.2, 0.2], "decoder", "0.6"),
        ([0.6, 0.6, 0.0], "decoder", "1.2"),
        ([1.0], "decoder", "for 3 models"),
        ([0.5, 0.3, 0.2], "llm", "model_type"),
    ],
)
def test_refused(models, weights, kind, words) -> None:
    with pytest.raises(InputError, match=words):
        mix_models(models, kind, weights)


def test_no_examples(models) -> None:
    with pytest.raises(InputError, match="example_data is empty"):
        mix_models_with_data(models, "decoder", [])


def test_one_text_is_no_list_of_models(models) -> None:
    with pytest.raises(InputError, match="give a list"):
        mix_models(models[0], "decoder", [1.0])


def test_a_model_of_another_type_is_not_given_back_with_random_parts(models) -> None:
    with pytest.raises(InputError, match=r"is no reranker: .*score\.weight"):
        mix_models(models[:2], "reranker", [0.5, 0.5])
