"""A figure that shows itself in a notebook, once, whether or not pyplot is in use."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

_DOTS = 144  # per inch, for screens of twice the usual density


class Picture(Figure):
    """A matplotlib Figure. Without pyplot, a notebook shows of a plain one only its name."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=_DOTS)
        return buffer.getvalue()
