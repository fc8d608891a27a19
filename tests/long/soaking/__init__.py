"""The parts of `tests/long/soak.py`."""
