"""What answers: HTTP to commands and queries, and back. No rule of the platform is decided here."""
