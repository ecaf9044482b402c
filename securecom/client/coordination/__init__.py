"""What is between the two roles: one request, one offer or one chat at a time."""
