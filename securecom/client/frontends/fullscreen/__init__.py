"""The full-screen front-end, on Textual: people on the left, a chat on the right, one line."""
