"""Results of an audit as figures and as one page that opens without a network."""

from beyondrate.report.page import figures, write_report

__all__ = ["figures", "write_report"]
