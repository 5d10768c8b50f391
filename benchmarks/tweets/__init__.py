"""TweetEval with 16 and 64 labels: what the systems that need no language model reach."""
