"""What this package knows of its hosts, lmms-eval and transformers, beyond their documented interfaces."""
