"""Results as figures and as pages that open without a network."""

from beyondrate.report.page import figures, write_report
from beyondrate.report.reproduction import write_reproduction, write_training

__all__ = ["figures", "write_report", "write_reproduction", "write_training"]
