"""What travels: examples, tasks, templates, files in and out."""
