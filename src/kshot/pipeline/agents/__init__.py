"""Jobs on interactive tasks: the paper's tables for a list of them."""
