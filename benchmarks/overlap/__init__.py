"""The near-repeat filter against its peers, and as texts grow in number."""
