"""From exploring to a specialist, on the miniature with its simulated teacher."""
