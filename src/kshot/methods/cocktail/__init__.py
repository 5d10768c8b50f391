"""LM-Cocktail: how much of each model goes into the mix, by losses on the shots (arXiv 2311.13534)."""
