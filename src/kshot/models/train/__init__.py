"""Fine-tuning on ``transformers.Trainer``."""

from kshot.models.train.adapter_training import train_adapter
from kshot.models.train.lora_training import TrainResult, train_lora
from kshot.models.train.rows import TrainRows
from kshot.models.train.settings import PAPER, TrainSettings

__all__ = ["PAPER", "TrainResult", "TrainRows", "TrainSettings", "train_adapter", "train_lora"]
