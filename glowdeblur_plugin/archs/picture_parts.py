"""The parts of GLOWDeblur that work on pictures: their sizes, and which networks may pre-reconstruct."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from glowdeblur_plugin.archs.nafnet_arch import NAFNet
from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction
from glowdeblur_plugin.archs.restormer_arch import Restormer
from glowdeblur_plugin.errors import UserError

OPTION = 'network_g:prereconstruction'
PICTURE_NETWORKS = {'PreReconstruction': PreReconstruction, 'NAFNet': NAFNet, 'Restormer': Restormer}


@dataclass(frozen=True)
class PictureParts:
    """Sizes of the two convolutional parts: pre-reconstruction and motion estimator."""

    width: int
    encoder_blocks: tuple[int, ...]
    middle_blocks: int
    decoder_blocks: tuple[int, ...]
    patch: int
    motion_width: int
    motion_cell: int


NANO_PARTS = PictureParts(width=48,
                          encoder_blocks=(2, 2),
                          middle_blocks=2,
                          decoder_blocks=(1, 1),
                          patch=4,
                          motion_width=24,
                          motion_cell=8)
FULL_PARTS = PictureParts(width=32,
                          encoder_blocks=(1, 1, 1, 28),
                          middle_blocks=1,
                          decoder_blocks=(1, 1, 1, 1),
                          patch=1,
                          motion_width=64,
                          motion_cell=16)


def build_prereconstruction(parts: PictureParts, section: dict[str, Any] | None) -> nn.Module:
    """The network that pre-reconstructs pictures (N, 3, H, W): a `PreReconstruction` of the sizes in `parts`, or what `section`
    describes as option files do, by a `type` out of `PICTURE_NETWORKS` and its arguments.

    Raises:
        UserError: `section` names another network or refuses its arguments.
    """
    if section is None:
        return PreReconstruction(parts.width, list(parts.encoder_blocks), parts.middle_blocks, list(parts.decoder_blocks),
                                 parts.patch)
    arguments = dict(section)
    name = arguments.pop('type', None)
    if name not in PICTURE_NETWORKS:
        raise UserError(f'{OPTION}:type: {name!r} is not one of {", ".join(PICTURE_NETWORKS)}')
    try:
        return PICTURE_NETWORKS[name](**arguments)
    except UserError as error:
        raise UserError(str(error).replace('network_g', OPTION, 1)) from error
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise UserError(f'{OPTION}: {error}') from error


def feature_shape(network: nn.Module) -> tuple[int, int]:
    """Channels of the features of `picture_and_features`, and the side of the picture area that one position stands for."""
    return (network.width, network.patch) if isinstance(network, PreReconstruction) else (3, 1)


def picture_and_features(network: nn.Module, blurry: Tensor) -> tuple[Tensor, Tensor]:
    """The pre-reconstruction (N, 3, H, W) and what the alignment reads of it: the last features of a `PreReconstruction`, the
    picture itself of other networks."""
    if isinstance(network, PreReconstruction):
        return network.picture_and_features(blurry)
    picture = network(blurry)
    return picture, picture
