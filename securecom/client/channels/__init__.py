"""The two channels to the server: reached, logged in to, proven, kept, lost."""
