"""What the client keeps on disk for one person on one server, but for the peers' pins."""
