"""The same house as for scaling."""

from tests.serving.scaling.conftest import house

__all__ = ["house"]
