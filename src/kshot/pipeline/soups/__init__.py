"""The systems of a run that are one model mixed from many by the shots."""
