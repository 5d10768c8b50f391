"""Fine-tuning on ``transformers.Trainer``."""

from kshot.models.train.lora_training import TrainResult, train_lora
from kshot.models.train.settings import TrainSettings

__all__ = ["TrainResult", "TrainSettings", "train_lora"]
