"""MiniLM fine-tuned on two TweetEval tasks, then mixed: each task and the untouched others."""
