"""Distances of sets to a real one between equally many pictures, beside what two samples of the real one differ by.

A distance of two finite samples of one distribution is above 0, the more so the fewer they are. All distances are therefore
means over draws of equally many pictures from either side, and the distance between two such draws from the reference, without
a picture in common, is the floor below which nothing can be told. Our choice.
"""

from collections.abc import Sequence

import numpy as np

from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.report.blur_record import PictureRecord, SetRecord, common_origin
from glowdeblur_plugin.report.realism import RealismDistance, Statistics, realism_distance

FEWEST_REFERENCE = 4
MOST_PICTURES = 200
DRAWS = 8
CLEARLY = 1.5


class RealismScale:
    """What the distances of `records` to `reference` are measured by. Pictures without a sure cell are left out.

    Attributes:
        reference: the real set.
        origin: where the motion comes from, the best that is known of all of them, so that an estimator's faults are not taken
            for a set's.
        count: pictures in a draw: half the reference's, or all of the smallest set, at most 200.
        floor: distance between two draws from the reference.

    Raises:
        UserError: the reference has fewer than 4 usable pictures, or a set none.
    """

    def __init__(self, records: Sequence[SetRecord], reference: SetRecord) -> None:
        self.reference = reference
        self.origin = common_origin([*records, reference])
        check_reference(reference.label, len(self._usable(reference)))
        self.count = min(MOST_PICTURES, len(self._usable(reference)) // 2, *(len(self._usable(record)) for record in records))
        self.floor = self.distance(reference)

    def distance(self, record: SetRecord) -> RealismDistance:
        """Mean distance of draws from a set and from the reference, and for the reference itself the floor."""
        usable, real = self._usable(record), self._usable(self.reference)
        distances = []
        for seed in range(DRAWS):
            order = np.random.default_rng(seed).permutation(len(real))
            drawn = [real[index] for index in order[:self.count]]
            if record is self.reference:
                other = [real[index] for index in order[self.count:2 * self.count]]
            else:
                other = [usable[index] for index in np.random.default_rng(seed).permutation(len(usable))[:self.count]]
            distances.append(realism_distance(self._statistics(other), self._statistics(drawn)))
        return RealismDistance(*(float(term) for term in np.mean(distances, axis=0)))

    def _usable(self, record: SetRecord) -> list[PictureRecord]:
        return [picture for picture in record.pictures if picture.motion[self.origin].sure.any()]

    def _statistics(self, pictures: Sequence[PictureRecord]) -> Statistics:
        found = SetRecord(self.reference.label, self.origin, list(pictures))
        return Statistics(np.array([picture.noise for picture in pictures]),
                          np.array([picture.saturation for picture in pictures]), found.cells())


def check_reference(label: str, count: int) -> None:
    """Refuse a reference of fewer than 4 pictures, those without enough contrast not counted once this is known.

    Raises:
        UserError: names it and its number of pictures.
    """
    if count < FEWEST_REFERENCE:
        raise UserError(f'--reference: {label} has {count} usable pictures, a distance to it needs {FEWEST_REFERENCE} or more')
