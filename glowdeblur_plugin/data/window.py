"""A rectangle of pixels."""

from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A rectangle of pixels: its first row and column, its height and width."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The window of a picture (H, W, ...), as a view."""
        return picture[self.top:self.top + self.height, self.left:self.left + self.width]
