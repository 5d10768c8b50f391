"""The one place where one method's output becomes another's input, and the only one that reads test rows."""
