"""A page about a matching, for people: :func:`write_report`."""

from rebasin_fast.report.page import write_report

__all__ = ["write_report"]
