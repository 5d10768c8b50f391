"""What today's systems reach on the miniature's tasks: the floor for the methods to come."""
