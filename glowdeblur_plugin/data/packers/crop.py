"""Cutting pictures into overlapping sub-images."""

from dataclasses import dataclass

from glowdeblur_plugin.data.window import Window


@dataclass(frozen=True)
class Crop:
    """Squares of `size` pixels, `step` pixels apart; the last of a row or column is moved inwards so that it fits.

    A picture with a shorter side is not cut along that side. Boxes and their order are those of the public GoPro preparations
    (Restormer: generate_patches_gopro.py, NAFNet: scripts/data_preparation/gopro.py): 8 of 512 with step 256 for 1280x720.
    """

    size: int
    step: int

    def windows(self, height: int, width: int) -> list[Window]:
        """The boxes of a picture in pixels, row by row."""
        return [Window(top, left, min(self.size, height), min(self.size, width))
                for top in self._starts(height) for left in self._starts(width)]

    def _starts(self, length: int) -> list[int]:
        last = max(length - self.size, 0)
        starts = list(range(0, last + 1, self.step))
        return starts if starts[-1] == last else [*starts, last]


def crop_keys(key: str, count: int) -> list[str]:
    """Keys of the sub-images of picture `key`: `<key>_s001`, `<key>_s002` and so on."""
    return [f'{key}_s{number:03d}' for number in range(1, count + 1)]
