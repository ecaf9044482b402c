"""System tests: real processes."""
