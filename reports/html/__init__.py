"""`index.html`: the page, what is drawn in it, and its templates."""

from reports.html.page import render

__all__ = ["render"]
