"""Any PEFT adapter trained further: an expert on new rows, a mixture's routers, a mixture as a whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from kshot.errors import AdapterError
from kshot.models.folders import check_free
from kshot.models.hf.adapted import untouched
from kshot.models.hf.adapter_folder import write_continued
from kshot.models.hf.loading import first_line, quiet
from kshot.models.hf.model import HfModel
from kshot.models.train import processes
from kshot.models.train.fit import OnStep, fit
from kshot.models.train.lora_training import TrainResult, result_of, training_facts
from kshot.models.train.rows import TrainRows, encoded_rows
from kshot.models.train.settings import TrainSettings


def train_adapter(
    base: HfModel,
    rows: TrainRows,
    *,
    start: str | Path,
    out: str | Path,
    settings: TrainSettings | None = None,
    on_step: OnStep | None = None,
) -> TrainResult:
    """An adapter that goes on learning from where a PEFT folder stands, as a folder of the same kind.

    Which weights learn is the adapter's business: all of a LoRA; what its configuration says of a mixture
    (after ``import kshot.peft``). Tensors that did not learn keep their bytes. With held-back rows, the
    weights with the lowest loss on them are kept, be they those of the start. The loss is on the tokens of
    the targets alone, and whatever loss the adapter adds. The same seed gives the same bytes on the same
    machine; the base is left as it was. Started by ``accelerate launch``, all processes train together and
    the first one writes: see ``python -m kshot.models.train``.

    Args:
        base: The model that the adapter belongs to.
        rows: What is learned from, and what training stops by.
        start: The PEFT folder to start from; it is left as it is.
        out: The folder to write; must be absent or empty. It appears when it is complete.
        settings: See ``TrainSettings``; rank, alpha, dropout and target modules stay the start's.
        on_step: Called after each step with its number, the number of steps, and the loss.

    Raises:
        AdapterError: The start is no adapter, or does not fit the base tensor by tensor.
        ModelError: No row is left to learn from, the folder is not empty, nothing can learn, or the loss is
            no number.

    Example::

        rows = TrainRows(conversations, targets)
        result = train_adapter(model, rows, start="bank/smith", out="runs/smith-tuned")
        model.adapted(result.folder).generate(...)
    """
    settings, start, out = settings or TrainSettings(), Path(start), Path(out)
    check_free(out)
    encoded = encoded_rows(base, rows, settings)
    started = time.perf_counter()
    base.adapted(start)  # refuses what does not fit; PEFT itself would only warn
    with untouched(base.model), quiet():
        adapted = trainable(base, start)
        fitted = fit(adapted, base, encoded, settings, on_step=on_step)
        if processes.is_first():
            facts = training_facts(encoded, fitted)
            write_continued(adapted, out, start=start, base=base.loaded.name, settings=settings, facts=facts)
        processes.wait()
    return result_of(out, encoded, fitted, seconds=time.perf_counter() - started)


def trainable(base: HfModel, folder: Path) -> Any:
    """The PEFT model of a folder that ``base.adapted`` accepts, ready to learn; use inside ``untouched``."""
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(
            base.model, str(folder), is_trainable=True, torch_device=str(base.loaded.device)
        )
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise AdapterError(f"{folder.name}: cannot be trained ({first_line(error)})") from error
