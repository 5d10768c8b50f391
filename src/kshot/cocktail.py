"""LM-Cocktail's function names on kshot's engine: a script that used them runs with its import line changed.

::

    from kshot.cocktail import mix_models, mix_models_by_layers, mix_models_with_data

Losses are aggregated as the released code does it (batches of two, temperature 5). What differs on purpose:
weights must sum to 1; models that do not fit are refused before anything is written; a folder that is not
empty is never overwritten; each number is rounded once; code that a folder brings along is not run; nothing
is printed.

Source: arXiv 2311.13534 and its released package, whose names and defaults these are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kshot.errors import InputError, ModelError
from kshot.models.kinds.base import AUTO_CLASSES, KINDS

if TYPE_CHECKING:
    from kshot.pipeline.mix import MixJob


def mix_models(
    model_names_or_paths: Sequence[str],
    model_type: str,
    weights: Sequence[float],
    output_path: str | None = None,
) -> Any:
    """The sum of models by given weights.

    Args:
        model_names_or_paths: Folders or hub names; the first gives configuration, tokenizer and dtype.
        model_type: ``decoder``, ``encoder``, ``reranker`` or ``encoder-decoder``.
        weights: One a model; they sum to 1.
        output_path: The folder to write; None: the model is returned alone.

    Returns:
        The mixed transformers model, in evaluation mode.

    Raises:
        InputError: Weights or kind are wrong, models do not fit one another, or the folder is not empty.

    Example::

        model = mix_models(["models/base", "models/tuned"], "decoder", [0.7, 0.3], "models/mixed")
    """
    job = _job(model_names_or_paths, model_type, weights=tuple(float(weight) for weight in weights))
    return _mixed(job, output_path)


def mix_models_with_data(  # noqa: PLR0913 - the signature that its users know
    model_names_or_paths: Sequence[str],
    model_type: str,
    example_data: Sequence[Mapping[str, Any]] | None = None,
    temperature: float = 5.0,
    batch_size: int = 2,
    max_input_length: int = 2048,
    neg_number: int = 7,
    output_path: str | None = None,
    *,
    example_ata: Sequence[Mapping[str, Any]] | None = None,
) -> Any:
    """The sum of models, weighted by the softmax of their negative losses on a few examples.

    Args:
        model_names_or_paths: Folders or hub names; the first gives configuration, tokenizer and dtype.
        model_type: ``decoder``, ``encoder``, ``reranker`` or ``encoder-decoder``.
        example_data: ``{"input", "output"}`` for decoders and encoder-decoders, else
            ``{"query", "pos": [...], "neg": [...]}``.
        temperature: Of the softmax; higher is more uniform.
        batch_size: Examples whose losses are averaged first; of an encoder, queries that are contrasted.
        max_input_length: Tokens of an example, at most.
        neg_number: Negatives of an example, at most; drawn by a fixed seed.
        output_path: The folder to write; None: the model is returned alone.
        example_ata: ``example_data`` as release 0.0.4 of the original spells it.

    Returns:
        The mixed transformers model, in evaluation mode.

    Raises:
        InputError: There is no example, models do not fit one another, or the folder is not empty.

    Example::

        rows = [{"input": "Review: dull. Positive or negative?", "output": "negative"}]
        model = mix_models_with_data(["models/a", "models/b"], "decoder", rows, output_path="models/mixed")
    """
    from kshot.models.kinds.rows import mixing_rows_of
    from kshot.pipeline.mix.job import Weighing

    given = example_data if example_data is not None else example_ata
    if not given:
        raise InputError("example_data is empty; give a few labelled examples of the task")
    weighing = Weighing(
        temperature=temperature,
        aggregate="paper",
        batch_size=batch_size,
        max_input_length=max_input_length,
        neg_number=neg_number,
        compatible=True,
    )
    rows = mixing_rows_of(given)
    job = _job(model_names_or_paths, model_type, examples=rows, weighing=weighing)
    return _mixed(job, output_path)


def mix_models_by_layers(
    model_names_or_paths: Sequence[str],
    model_type: str,
    weights: Sequence[float],
    output_path: str | None = None,
) -> Any:
    """As ``mix_models``: kshot never holds more than a few megabytes of any model while it mixes.

    Raises:
        InputError: As ``mix_models``.

    Example::

        mix_models_by_layers(["models/base", "models/tuned"], "decoder", [0.7, 0.3], "models/mixed")
    """
    return mix_models(model_names_or_paths, model_type, weights, output_path)


def _job(names: Sequence[str], model_type: str, **how: Any) -> MixJob:
    from kshot.pipeline.mix.job import MixJob

    if isinstance(names, str):
        raise InputError(
            f"model_names_or_paths is the one text {names!r}; give a list of folders or hub names"
        )
    kind = next((kind for kind in KINDS if kind == model_type), None)
    if kind is None:
        raise InputError(f"model_type {model_type!r}: expected one of {', '.join(KINDS)}")
    return MixJob(models=tuple(str(name) for name in names), kind=kind, **how)


def _mixed(job: MixJob, output_path: str | None) -> Any:
    from kshot.pipeline.mix import mixed

    name = AUTO_CLASSES[job.kind]
    if output_path is not None:
        return _loaded(mixed(job, Path(output_path)).folder, name, job)
    with tempfile.TemporaryDirectory() as scratch:
        return _loaded(mixed(job, Path(scratch) / "mix").folder, name, job)


def _loaded(folder: Path, class_name: str, job: MixJob) -> Any:
    import transformers

    from kshot.models.hf.loading import quiet

    with quiet():
        model, info = getattr(transformers, class_name).from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    # an encoder may lack the pooler that nobody asks; any other part would be random numbers
    if (missing := sorted(info["missing_keys"])) and job.kind != "encoder":
        raise ModelError(
            f"{job.models[0]}: is no {job.kind}: {class_name} has {len(missing)} weights that it lacks, "
            f"first {missing[0]}; give the model_type that fits it"
        )
    return model.eval()
