"""The server: channels, switchboard, relay, registry and state. It knows nothing of the client."""
