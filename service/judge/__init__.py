"""An LLM judge behind an OpenAI-compatible endpoint: one that can fail without lying."""
