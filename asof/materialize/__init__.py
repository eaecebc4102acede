"""Materialization: intervals, the ledger and lease, stages as data, and the runner that executes them in-process."""
