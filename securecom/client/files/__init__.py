"""Files in a chat: offered, fetched, resumed, checked, saved."""
