"""The end-to-end session of a chat, in a stream that the server relays."""
