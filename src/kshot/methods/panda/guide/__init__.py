"""A pool compiled into one short guide for the whole task."""

from kshot.methods.panda.guide.distil import Effort, distil
from kshot.methods.panda.guide.groups import Group, group_insights
from kshot.methods.panda.guide.rules import Dropped, Guide, Rule

__all__ = ["Dropped", "Effort", "Group", "Guide", "Rule", "distil", "group_insights"]
