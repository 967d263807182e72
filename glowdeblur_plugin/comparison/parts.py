"""What was found for one method, set and seed: kept in a file, from which an interrupted comparison goes on."""

import json
import time
from pathlib import Path
from typing import Any

from glowdeblur_plugin.files import write_atomically

SECONDS_BETWEEN = 20.0
FOUND = ('values', 'failures')


class Part:
    """The values of each picture under one method, set and seed.

    What stands in the file counts as long as it was made in the same way: all of it is dropped where `identity` differs, the
    values of a metric where that is computed in another way; those of metrics that are not asked for stay. Pictures that
    could not be read or restored are tried again.

    Args:
        path: of the file, which need not be there.
        identity: plain values: how the pictures were restored.
        ways: metric -> how it is computed.

    Attributes:
        pictures: name -> `values` and `failures` by metric, and the `seconds` spent restoring; or `failure`, why there is no
            picture.
        of_set: metric -> `value` and the `pictures` it is for.
        devices: where the network ran.
        commits: of the plugin's own repository, that what stands here was made with.
        path, identity: as given.
    """

    def __init__(self, path: Path, identity: dict[str, Any], ways: dict[str, str]) -> None:
        self.path, self.identity = path, json.loads(json.dumps(identity))
        self._written = time.monotonic()
        found = self._read()
        told = found.get('ways', {})
        same = [metric for metric, way in told.items() if ways.get(metric, way) == way]
        self._ways = {**{metric: told[metric] for metric in same}, **ways}
        self.devices, self.commits = (set(found.get(key, [])) for key in ('devices', 'commits'))
        self.pictures: dict[str, dict[str, Any]] = {
            name: {**{kind: {metric: entry[kind][metric] for metric in same if metric in entry[kind]} for kind in FOUND},
                   'seconds': entry['seconds']}
            for name, entry in found.get('pictures', {}).items() if 'failure' not in entry
        }
        self.of_set = {metric: entry for metric, entry in found.get('of_set', {}).items() if metric in same}

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding='utf-8'))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get('identity') == self.identity else {}

    def missing(self, name: str, metrics: list[str]) -> list[str]:
        """Which of the metrics were not tried on the picture."""
        tried = {metric for kind in FOUND for metric in self.pictures.get(name, {}).get(kind, {})}
        return [metric for metric in metrics if metric not in tried]

    def value(self, name: str, metric: str) -> float | None:
        """The picture's value; None where there is none, see `failure`."""
        return self.pictures[name].get('values', {}).get(metric)

    def failure(self, name: str, metric: str) -> str | None:
        """Why the picture has no value of the metric; None where it has one."""
        entry = self.pictures[name]
        return entry.get('failure') or entry.get('failures', {}).get(metric)

    def put(self, name: str, entry: dict[str, Any]) -> None:
        """Take in what was found for a picture, beside what is known of it; the file follows within 20 seconds."""
        known = self.pictures.get(name, {})
        self.pictures[name] = entry if 'failure' in entry else {**entry, **{kind: {**known.get(kind, {}), **entry[kind]}
                                                                            for kind in FOUND}}
        if time.monotonic() - self._written > SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        content = {'identity': self.identity, 'ways': self._ways, 'devices': sorted(self.devices),
                   'commits': sorted(self.commits), 'pictures': self.pictures, 'of_set': self.of_set}
        write_atomically(self.path, json.dumps(content))
        self._written = time.monotonic()
