"""GLOWDeblur's large parts under torch.compile, for restoring only."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException
from torch.utils._pytree import tree_map_only

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.pre_reconstruction_arch import PreReconstruction
from glowdeblur_plugin.diffusion.autoencoder_codec import AutoencoderCodec
from glowdeblur_plugin.errors import UserError


class CompiledCall:
    """A function of a network under torch.compile, on CUDA replayed from a CUDA graph (`mode='reduce-overhead'`).

    Outside of inference mode, as in all of training, the function itself runs: there the sharp picture is encoded without
    gradient, by the encoder that validation shares. Each shape of the inputs is compiled at its first call; torch.compile does
    so for 8 of them (`torch._dynamo.config.recompile_limit`) and runs further ones plainly. A graph leaves its results in
    memory that it writes again, so on CUDA copies are given.

    Args:
        name: of the part, for errors.
        function: takes and gives tensors.
        graphs: whether calls go through CUDA graphs.
    """

    def __init__(self, name: str, function: Callable[..., Any], graphs: bool) -> None:
        self.name, self.function, self.graphs = name, function, graphs
        self._compiled = torch.compile(function, dynamic=False, mode='reduce-overhead' if graphs else None)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """What the function gives, up to rounding.

        Raises:
            UserError: it cannot be compiled here, for example for want of a C++ compiler (CPU) or of Triton (CUDA).
        """
        if not torch.is_inference_mode_enabled():
            return self.function(*arguments, **named)
        try:
            if not self.graphs:
                return self._compiled(*arguments, **named)
            torch.compiler.cudagraph_mark_step_begin()
            return tree_map_only(Tensor, Tensor.clone, self._compiled(*arguments, **named))
        except TorchDynamoException as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(f'val:compile: torch.compile fails on the {self.name} ({reason}); use compile: false') from error


def compile_parts(net: GLOWDeblur) -> None:
    """Run pre-reconstruction, backbone and the autoencoder's encoder and decoder by `CompiledCall` from now on in inference
    mode; called again, nothing changes.

    Plain stay the nano's codec, of one convolution each way, the alignment, and the motion estimator: torch.compile fuses its
    pools of pools into one loop that does their work over and over (30 times as slow on a CPU).
    """
    graphs = net.null_text.device.type == 'cuda'
    picture_call = 'picture_and_features' if isinstance(net.prereconstruction, PreReconstruction) else 'forward'
    parts = [('pre-reconstruction', net.prereconstruction, picture_call), ('backbone', net.backbone, 'forward')]
    if isinstance(net.codec.held, AutoencoderCodec):
        autoencoder = net.codec.held.autoencoder
        parts += [('encoder', autoencoder.encoder, 'forward'), ('decoder', autoencoder.decoder, 'forward')]
    for name, part, call in parts:
        _compile(name, part, call, graphs)


def _compile(name: str, part: nn.Module, call: str, graphs: bool) -> None:
    function = getattr(part, call)
    if not isinstance(function, CompiledCall):
        vars(part)[call] = CompiledCall(name, function, graphs)
