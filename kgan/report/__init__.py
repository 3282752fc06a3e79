"""Runs side by side on one page: what they are, what they draw, how they went, what they reach."""

from kgan.report.page import write_report
from kgan.report.run import Run

__all__ = ["Run", "write_report"]
