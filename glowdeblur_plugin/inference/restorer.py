"""One trained network that restores pictures, whatever its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.diffusion.pretrained import file_reference
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.host_options import VAL_KEYS
from glowdeblur_plugin.inference.network_of_weights import AVERAGE, FoundNetwork, build_trained, find_network
from glowdeblur_plugin.models.glowdeblur_evaluation import evaluate, through_codec
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurValOptions
from glowdeblur_plugin.models.restoration_model import map_picture
from glowdeblur_plugin.models.tile_choice import TileChoice, TileSettings
from glowdeblur_plugin.options import convert, read_section
from glowdeblur_plugin.resources import usable_device

PrecisionName = Literal['fp32', 'bf16', 'fp16']
SAMPLING = ('steps', 'solver', 'colour')
DTYPES = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}


class Restorer:
    """Restores pictures with a network and its weights, each alike whatever came before it.

    Args:
        network: in eval mode; goes to `device`.
        device: where it runs.
        precision: `fp32`; `bf16` and `fp16` run the layers that allow it in half precision, GLOWDeblur in bf16 with its weights
            halved too. `fp16` is for CUDA and for networks that map pictures to pictures.
        settings: tiles and, for GLOWDeblur, steps, solver and colour; photographs come without a text to guide by.
        weights_sha256: SHA-256 of the file of weights.

    Attributes:
        name: of the network's class.
        samples: whether what it gives depends on the seed.

    Raises:
        UserError: no such precision, `fp16` where it does not run, or tiles that the network does not take.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: PrecisionName, settings: TileSettings,
                 weights_sha256: str) -> None:
        self.samples = isinstance(network, GLOWDeblur)
        convert(precision, PrecisionName, 'precision')
        if precision == 'fp16' and (device.type != 'cuda' or self.samples):
            raise UserError(f'precision: fp16 is for networks such as NAFNet on CUDA, found {type(network).__name__} on '
                            f'{device.type}; use bf16 or fp32')
        self.network, self.name, self.device = network.to(device), type(network).__name__, device
        self.precision, self.settings, self.weights_sha256 = precision, settings, weights_sha256
        if self.samples and precision == 'bf16':
            network.use_bf16_weights()
        self._tiles = TileChoice(settings, network, prefix='')

    @classmethod
    def from_weights(cls,
                     weights: Path | str,
                     option_file: Path | str | None = None,
                     device: str = 'auto',
                     precision: PrecisionName | None = None,
                     tile: Literal['auto', 'none'] | int | None = None,
                     tile_overlap: int | None = None,
                     tlc: bool | None = None,
                     param_key: str = AVERAGE,
                     **sampling: Any) -> 'Restorer':
        """The network that the weights belong to, see `find_network`; what is None is as in the option file's `val`, or the
        default.

        Args:
            weights: a file of ours (.pth, .safetensors), or of NAFNet's or Restormer's authors.
            option_file: a training or test file with the network's section.
            device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`.
            precision, tile, tile_overlap: see the class and `TileSettings`.
            tlc: NAFNet's pooling by local windows at test time, see `NAFNet`.
            param_key: entry of the file; the moving average where there is one.
            sampling: of GLOWDeblur, keys `SAMPLING` of `RestorationSettings`.

        Raises:
            UserError: files that are missing, damaged or do not fit together; a device that is not there; or settings that the
                network does not have.
        """
        weights = Path(weights)
        found = find_network(weights, None if option_file is None else Path(option_file), param_key)
        place = usable_device(device)
        local = tlc is not None and found.section['type'] == 'NAFNet'
        if tlc and not local:
            raise UserError(f"tlc: is for NAFNet, and '{weights}' is a {found.section['type']}; leave it out")
        network = build_trained(found, weights, param_key, **({'tlc': tlc} if local else {}))
        tiling = {key: value for key, value in (('tile', tile), ('tile_overlap', tile_overlap)) if value is not None}
        settings, own = _settings(network, found, {**tiling, **sampling})
        return cls(network, place, precision or own, settings, file_reference(weights).sha256)

    def restore(self, picture: np.ndarray, seed: int = 0) -> np.ndarray:
        """The restored picture, float32 RGB (H, W, 3) in [0, 1], of a picture of the same kind.

        Args:
            seed: of the noise that GLOWDeblur samples from.

        Raises:
            UserError: not such a picture, or a result with values that are not finite, as where arithmetic overflowed.
        """
        return self.restore_with(picture, torch.Generator().manual_seed(seed))

    def restore_with(self, picture: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """As `restore`, with a generator on the CPU in place of a seed; it is left as it is."""
        restored = self._run(picture, lambda lq: self._restored(lq, generator))
        if wrong := 1 - np.isfinite(restored).mean():
            raise UserError(f'the network gave no picture: {wrong:.2%} of its values are not numbers; its weights are damaged, '
                            'or need precision fp32')
        return restored

    def through_codec(self, picture: np.ndarray) -> np.ndarray | None:
        """The picture encoded and decoded by the network's codec, which bounds what it can give; None where it has none."""
        return self._run(picture, self._coded) if self.samples else None

    def _run(self, picture: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        if picture.dtype.kind != 'f' or picture.shape[2:] != (3, ) or not picture.size:
            raise UserError(f'expected a float RGB picture (H, W, 3), found {picture.dtype} {picture.shape}')
        if not 0 <= picture.min() <= picture.max() <= 1:
            raise UserError(f'expected levels in [0, 1], found {picture.min()} to {picture.max()}')
        lq = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)).to(self.device)
        dtype = DTYPES[self.precision]
        with torch.inference_mode(), torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            result = function(lq)
        return np.ascontiguousarray(result[0].permute(1, 2, 0).cpu().numpy())

    def _restored(self, lq: Tensor, generator: torch.Generator) -> Tensor:
        if not self.samples:
            return map_picture(self.network, lq, self._tiles)
        net = self._tiles.fit(self.network, *lq.shape[-2:])
        results = evaluate(net, {'lq': lq}, generator, self.settings, full=False)
        return results.get('restored_colour', results['restored'])

    def _coded(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        net = self._tiles.fit(self.network, height, width)
        return through_codec(net, pad_to_multiple(picture, net.size_multiple))[..., :height, :width].float().clamp(0, 1)


def _settings(network: nn.Module, found: FoundNetwork, given: dict[str, Any]) -> tuple[TileSettings, PrecisionName]:
    """The settings, and the precision of the option file."""
    samples = isinstance(network, GLOWDeblur)
    for key in given.keys() - {'tile', 'tile_overlap', *SAMPLING}:
        raise UserError(f'{key}: has no part in restoring photographs; settings are tile, tile_overlap, {", ".join(SAMPLING)}')
    for key in () if samples else given.keys() & {*SAMPLING}:
        raise UserError(f'{key}: is for networks that sample, and {type(network).__name__} gives one picture; leave it out')
    if samples:
        known = {key: value for key, value in found.val.items() if key != 'oracle_guidance'}
        options = read_section(GLOWDeblurValOptions, {**known, **given}, 'val', VAL_KEYS)
        return options, options.precision
    return read_section(TileSettings, {**found.val, **given}, 'val', VAL_KEYS), 'fp32'
