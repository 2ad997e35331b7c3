"""The explorer: a comparison as one page that opens anywhere, without a network."""

from archscope.explorer.page import page

__all__ = ["page"]
