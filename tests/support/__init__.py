"""What the system tests stand on: processes, and what stands between them."""
