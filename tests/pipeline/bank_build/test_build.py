"""A bank end to end on the miniature: adapters with cards, failures that stop nothing, builds that go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from kshot import miniature
from kshot.data.example import Conversation
from kshot.errors import InputError, ModelError, RunError
from kshot.models.bank import Bank
from kshot.models.base import Reply
from kshot.models.hf import HfModel
from kshot.pipeline.bank_build import BankBuilt, dry, load_recipe
