"""The mixing engine beside mergekit and LM_Cocktail: the same numbers, time and memory."""
