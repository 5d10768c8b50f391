"""PANDA on the miniature."""
