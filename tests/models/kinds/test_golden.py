"""The golden losses of the fixtures that the method's own code was run on."""

import numpy as np
import pytest
import tiny_kinds
import torch
from safetensors.torch import load_file, save_file

from kshot.data.ranking import Ranking
from kshot.models.kinds.open import KindOptions, open_mixable
from kshot.models.kinds.rows import mixing_rows

pytestmark = pytest.mark.skipif(not tiny_kinds.SHARED.is_file(), reason="the development data is absent")

AG_NEWS = {
    1: [6.460448, 6.385268, 6.333289],
    2: [6.457357, 6.370472, 6.289871],
    5: [6.445036, 6.361333, 6.333688],
}
MRPC = {1: [6.309058, 6.334482], 2: [6.310900, 6.306752]}
SOFT = {5.0: [0.327698, 0.333442, 0.338861], 0.01: [5.3e-8, 3.158e-4, 0.999684]}
PAIRS = [
    Ranking("cheap train tickets", ("low cost rail fares",), ("garden tools", "opera singers")),
    Ranking(
        "fix a flat bicycle tyre", ("repairing a punctured bike wheel",), ("history of tea", "solar panels")
    ),
    Ranking(
        "when do swallows migrate", ("swallows fly south in autumn",), ("bread recipes", "chess openings")
    ),
]
CONTRAST = {
    1: [1.098292, 1.097419, 1.087952],
    2: [1.444852, 1.443739, 1.436010],
    3: [2.196882, 2.195982, 2.186148],
}


def weights(losses, temperature):
    scores = np.exp(-(np.array(losses) - min(losses)) / temperature)
    return scores / scores.sum()


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    return tiny_kinds.golden_decoders(tmp_path_factory.mktemp("decoders"))


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folders = tiny_kinds.golden_encoders(tmp_path_factory.mktemp("encoders"))
    return [open_mixable(f, "encoder", options=KindOptions(pooling="compat")) for f in folders]


@pytest.mark.parametrize("boundary", ["exact", "paper"])
def test_decoder_losses_and_their_weights(decoders, boundary):
    options = KindOptions(boundary=boundary)
    opened = [open_mixable(folder, "decoder", options=options) for folder in decoders]
    rows = mixing_rows(f"{tiny_kinds.SHARED}#ag_news")
    losses = [model.losses(rows) for model in opened]
    for size, expected in AG_NEWS.items():
        found = [one.mean("paper", batch_size=size) for one in losses]
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    means = [one.mean("paper", batch_size=2) for one in losses]
    np.testing.assert_allclose(weights(means, 5.0), SOFT[5.0], atol=1e-6, rtol=0)
    np.testing.assert_allclose(weights(means, 0.01), SOFT[0.01], atol=2e-6, rtol=0)
    mrpc = [model.losses(mixing_rows(f"{tiny_kinds.SHARED}#mrpc")) for model in opened[1:]]
    for size, expected in MRPC.items():  # the order of the two flips with the batch
        found = [one.mean("paper", batch_size=size) for one in mrpc]
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_bfloat16_copies_give_nearly_the_same_weights(decoders, tmp_path):
    rows = mixing_rows(f"{tiny_kinds.SHARED}#ag_news")
    own, single = [], []
    for number, folder in enumerate(decoders):
        copy = tmp_path / str(number)
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        tensors = load_file(folder / "model.safetensors")
        half = {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
        save_file(half, copy / "model.safetensors", {"format": "pt"})
        model = open_mixable(copy, "decoder")
        assert model.module.dtype == torch.bfloat16  # the checkpoint's own
        # activations in 16 bits add their own rounding, which the batch moves a little: few rows at a time
        small = open_mixable(copy, "decoder", options=KindOptions(batch_tokens=1))
        own.append(small.losses(rows).mean("paper"))
        single.append(open_mixable(copy, "decoder", dtype="float32").losses(rows).mean("paper"))
    np.testing.assert_allclose(weights(single, 5.0), SOFT[5.0], atol=6e-5, rtol=0)
    np.testing.assert_allclose(weights(own, 5.0), SOFT[5.0], atol=6e-5, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_encoder_losses(encoders, size):
    found = [model.losses(PAIRS, batch_size=size).mean("paper", batch_size=size) for model in encoders]
    np.testing.assert_allclose(found, CONTRAST[size], atol=1e-5, rtol=0)
    if size == 2:
        np.testing.assert_allclose(weights(found, 5.0), [0.333112, 0.333186, 0.333702], atol=1e-6, rtol=0)
    if size == 3:
        np.testing.assert_allclose([model.losses(PAIRS).mean() for model in encoders], found, atol=1e-12)
