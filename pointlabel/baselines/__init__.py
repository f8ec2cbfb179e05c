"""Methods to compare with, same signature as the engine."""
