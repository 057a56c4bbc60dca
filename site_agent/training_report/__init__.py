"""What a person should see of a training, as a page: how it went, what it reached, where it is worst."""

from site_agent.training_report.page import Picture, Report, Table, write_report

__all__ = ["Picture", "Report", "Table", "write_report"]
