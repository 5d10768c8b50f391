"""A bank of adapters: the inventory, and the audit that judges by tensors."""

from kshot.models.bank.audit import Audit, Finding
from kshot.models.bank.bank import Bank
from kshot.models.bank.entry import BankEntry

__all__ = ["Audit", "Bank", "BankEntry", "Finding"]
