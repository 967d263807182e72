"""Our weights in spandrel: it knows NAFNet, with spandrel-extra-arches Restormer, and learns PreReconstruction here."""

import math
from collections.abc import Mapping

from torch import Tensor

from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction

KEYS = ('stem.weight', 'down.0.weight', 'up.0.weight', 'head.weight')


def install() -> None:
    """Let spandrel's `ModelLoader` load weights of `PreReconstruction` too, `.pth` (moving average first) and `.safetensors`; a
    second call changes nothing."""
    from spandrel import MAIN_REGISTRY, Architecture, ArchSupport, ImageModelDescriptor, SizeRequirements
    from spandrel.util import KeyCondition

    class PreReconstructionArchitecture(Architecture[PreReconstruction]):
        def __init__(self) -> None:
            super().__init__(id='PreReconstruction', name='GLOWDeblur pre-reconstruction', detect=KeyCondition.has_all(*KEYS))

        def load(self, state_dict: Mapping[str, Tensor]) -> ImageModelDescriptor[PreReconstruction]:
            network = PreReconstruction(**pre_reconstruction_sizes(state_dict))
            return ImageModelDescriptor(network, state_dict, architecture=self, purpose='Restoration',
                                        tags=[f'{network.width}w'], supports_half=False, supports_bfloat16=True, scale=1,
                                        input_channels=3, output_channels=3,
                                        size_requirements=SizeRequirements(multiple_of=network.size_multiple))

    MAIN_REGISTRY.add(ArchSupport.from_architecture(PreReconstructionArchitecture()), ignore_duplicates=True)


def pre_reconstruction_sizes(weights: Mapping[str, Tensor]) -> dict[str, int | list[int]]:
    """The arguments of the `PreReconstruction` that a state dict belongs to."""
    def count(stem: str) -> int:
        """Numbers that follow `stem` in the names."""
        return len({name.removeprefix(stem).split('.')[0] for name in weights if name.startswith(stem)})

    width, folded = weights['stem.weight'].shape[:2]
    levels = range(count('down.'))
    return {'width': width, 'patch': math.isqrt(folded // 3), 'middle_blocks': count('middle.'),
            'encoder_blocks': [count(f'encoder.{level}.') for level in levels],
            'decoder_blocks': [count(f'decoder.{level}.') for level in levels]}
