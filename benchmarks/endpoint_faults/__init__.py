"""The endpoint on a server that fails: nothing lost, nothing paid twice, little added to each request."""
