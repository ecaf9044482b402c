"""The client as a program: arguments, input and output, signals, exit codes."""
