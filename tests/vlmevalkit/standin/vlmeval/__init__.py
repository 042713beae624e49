"""As much of VLMEvalKit as the adapter uses, by the interface that it documents; the real one is tried if installed."""
