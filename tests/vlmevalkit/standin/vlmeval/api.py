"""No model on a server."""
