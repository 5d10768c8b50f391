"""Which rule finds the three right experts of the miniature's mixed task, and why the others do not."""
