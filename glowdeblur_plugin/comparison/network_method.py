"""A network that a comparison runs, and its codec alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from glowdeblur_plugin.comparison.measures import device_name, file_sha256
from glowdeblur_plugin.comparison.methods import Method, Restore, picture_seed
from glowdeblur_plugin.comparison.options import NetworkOptions
from glowdeblur_plugin.comparison.picture_set import PictureSet
from glowdeblur_plugin.comparison.summary import MethodRecord
from glowdeblur_plugin.errors import UserError, made_by
from glowdeblur_plugin.files import write_atomically

PROBE = 64


class Restoring(Protocol):
    """What a comparison asks of a `Restorer`."""

    network: nn.Module
    name: str
    samples: bool
    device: torch.device

    def restore(self, picture: np.ndarray, seed: int = 0) -> np.ndarray:
        """The restored picture."""

    def through_codec(self, picture: np.ndarray) -> np.ndarray | None:
        """The codec's round trip; None without one."""


OpenRestorer = Callable[..., Restoring]


class Network(Method):
    """A network with its weights. It is loaded once to learn what it is, then when it is first needed.

    Args:
        device: as `Restorer.from_weights` takes it.
        folder: where what is known of it is kept.
        open_restorer: `Restorer.from_weights`.

    Attributes:
        has_codec: works on the latents of a codec.
        seeds: that it was run with; set by whoever runs it.

    Raises:
        UserError: a file is missing, or the weights are those of another network.
    """

    kind = 'network'

    def __init__(self, name: str, options: NetworkOptions, device: str, folder: Path, open_restorer: OpenRestorer) -> None:
        super().__init__(name, options.label or name)
        self.seeds: list[int] = []
        self._options, self._asked, self._open = options, device, open_restorer
        for key, command in (('weights', options.made_by), ('option', None)):
            path = getattr(options, key)
            if path is not None and not Path(path).is_file():
                raise UserError(f"methods:{name}:{key}: '{path}' does not exist{made_by(command)}")
        self.weights_sha256 = file_sha256(Path(options.weights))
        self._restorer: Restoring | None = None
        facts = self._facts(folder / f'{name}.json')
        self.samples, self.has_codec = facts['samples'], facts['has_codec']

    def _facts(self, path: Path) -> dict[str, Any]:
        identity = {**self._how(), 'device': self._asked}
        try:
            facts = json.loads(path.read_text(encoding='utf-8'))
            if facts['identity'] == identity and {'samples', 'has_codec'} <= set(facts):
                return facts
        except (OSError, ValueError, KeyError, TypeError):
            pass
        loaded = self.load()
        facts = {'identity': identity, 'samples': loaded.samples,
                 'has_codec': loaded.through_codec(np.full((PROBE, PROBE, 3), 0.5, np.float32)) is not None}
        self.close()
        self.device = None
        write_atomically(path, json.dumps(facts))
        return facts

    def _how(self) -> dict[str, Any]:
        options = self._options
        described = Path(options.weights).with_suffix('.json') if options.option is None else Path(options.option)
        return {'kind': self.kind, 'weights': self.weights_sha256,
                'described': file_sha256(described) if described.is_file() else None, **options.settings()}

    def load(self) -> Restoring:
        """The network, loaded where it is not yet.

        Raises:
            UserError: as `Restorer.from_weights`; names the method.
        """
        if self._restorer is None:
            options = self._options
            try:
                self._restorer = self._open(Path(options.weights), None if options.option is None else Path(options.option),
                                            device=self._asked, **options.settings())
            except UserError as error:
                raise UserError(f'methods:{self.name}: {error}') from None
            self.device = device_name(self._restorer.device)
        return self._restorer

    def close(self) -> None:
        """Forget the network until it is needed again."""
        self._restorer = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def identity(self, picture_set: PictureSet) -> dict[str, Any]:
        """Hashes of the files and the settings."""
        return self._how()

    def restorer(self, picture_set: PictureSet) -> Restore:
        """See the base class."""
        return lambda pair, seed: self.load().restore(pair.blurry, 0 if seed is None else picture_seed(seed, pair.name))

    def record(self) -> MethodRecord:
        """See the base class."""
        return MethodRecord(self.label, self.kind, self._options.weights, self.weights_sha256, self._options.option, self.seeds)


class CodecRoundTrip(Method):
    """The sharp picture through the codec of a network: what no method on its latents can pass but by chance."""

    kind = 'codec'

    def __init__(self, network: Network) -> None:
        super().__init__('codec', f'Codec of {network.label}, sharp picture')
        self._network = network

    def identity(self, picture_set: PictureSet) -> dict[str, Any]:
        """That of the network."""
        return {**self._network.identity(picture_set), 'kind': self.kind}

    def why_not(self, picture_set: PictureSet) -> str | None:
        """Without sharp pictures there is none."""
        return None if picture_set.with_truth else 'the codec alone is measured on sharp pictures, and the set has none'

    def restorer(self, picture_set: PictureSet) -> Restore:
        """See the base class."""
        return lambda pair, seed: self._network.load().through_codec(pair.sharp)

    def load(self) -> Restoring:
        """See the base class."""
        return self._network.load()

    def close(self) -> None:
        """Forget the network until it is needed again."""
        self._network.close()

    def record(self) -> MethodRecord:
        """See the base class."""
        network = self._network.record()
        return MethodRecord(self.label, self.kind, network.weights, network.weights_sha256, network.option)
