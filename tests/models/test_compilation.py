"""Restoring under torch.compile: the same pictures, and training untouched.

Whole networks run the graphs that torch.compile captures operation by operation (`aot_eager`): a C++ compiler would need a
minute for them. It builds one attention.
"""

import functools
import shutil

import pytest
import torch
from tiny_parts import tiny_autoencoder, tiny_transformer
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.archs.linear_attention import use_float32_sums
from glowdeblur_plugin.diffusion.autoencoder_codec import AutoencoderCodec
from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models.compilation import CompiledCall, compile_parts
from glowdeblur_plugin.models.glowdeblur_evaluation import restore
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurModel
from glowdeblur_plugin.models.seeds import picture_generator

needs_compiler = pytest.mark.skipif(shutil.which('g++') is None, reason='torch.compile needs a C++ compiler on the CPU')


class Tiny(GLOWDeblur):
    """A nano with one block, a small pre-reconstruction and a random convolutional autoencoder."""

    def __init__(self) -> None:
        super().__init__('nano', prereconstruction={'type': 'PreReconstruction', 'width': 4, 'encoder_blocks': [1],
                                                    'middle_blocks': 0, 'decoder_blocks': [0], 'patch': 4})
        self.backbone.transformer_blocks = self.backbone.transformer_blocks[:1]

    def build_codec(self, variant: str, path: str | None) -> Frozen:
        return Frozen(AutoencoderCodec(tiny_autoencoder(stages=3)))


@pytest.fixture(scope='module')
def net() -> Tiny:
    torch.manual_seed(0)
    net = Tiny().eval()
    for part in (net.backbone.proj_out.weight, net.null_text, net.motion.head.weight, net.prereconstruction.head.weight):
        nn.init.normal_(part, std=0.3)
    return net


def _restored(net: GLOWDeblur, seed: int = 0, **texts: Tensor) -> Tensor:
    lq = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return restore(net, net.condition(lq), [picture_generator(0, seed)], steps=2, **texts)


def test_pictures_are_those_of_the_plain_parts_in_both_precisions(net: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, 'compile', functools.partial(torch.compile, backend='aot_eager'))
    texts = [{'text': torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(seed))} for seed in (1, 2)]
    plain = [_restored(net), _restored(net, 1), *(_restored(net, **text) for text in texts)]
    with torch.autocast('cpu', torch.bfloat16):
        rounded = _restored(net)
    compile_parts(net)
    compile_parts(net)
    parts = [net.backbone.forward, net.prereconstruction.picture_and_features,
             *(part.forward for part in (net.codec.held.autoencoder.encoder, net.codec.held.autoencoder.decoder))]
    assert all(isinstance(part, CompiledCall) and not isinstance(part.function, CompiledCall) for part in parts)
    compiled = [_restored(net), _restored(net, 1), *(_restored(net, **text) for text in texts)]
    for expected, found in zip(plain, compiled):
        assert torch.allclose(found, expected, atol=1e-4)
    assert all((plain[0] - other).abs().max() > 1e-2 for other in plain[1:])
    assert (plain[2] - plain[3]).abs().max() > 1e-3
    with torch.autocast('cpu', torch.bfloat16):
        found = _restored(net)
    error = (rounded - plain[0]).abs().mean()
    assert 0 < error < 0.05 and (found - rounded).abs().mean() < 2 * error


def test_the_option_compiles_what_restores_without_touching_what_records_gradients() -> None:
    batch, restored = {'lq': torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(2))}, []
    for compiled in (False, True):
        model = GLOWDeblurModel({'name': 'test', 'is_train': False, 'dist': False, 'num_gpu': 0, 'path': {}, 'datasets': {},
                                 'network_g': {'type': 'GLOWDeblur', 'target': 'around'},
                                 'val': {'steps': 1, 'compile': compiled}})
        net = model.evaluation_network().eval()
        restored.append(model.evaluate_picture(batch, 0, picture_generator(0, 0))['restored'])
        assert isinstance(net.backbone.forward, CompiledCall) == compiled
        assert isinstance(net.prereconstruction.picture_and_features, CompiledCall) == compiled
    assert restored[0].std() > 0.05 and restored[1].requires_grad and torch.equal(*restored)


@needs_compiler
def test_a_compiled_attention_is_the_plain_one() -> None:
    backbone = tiny_transformer(num_layers=1)
    use_float32_sums(backbone)
    attention = backbone.transformer_blocks[0].attn1
    tokens = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(1))
    call = CompiledCall('attention', attention.forward, False)
    with torch.inference_mode():
        plain, found = attention(tokens), call(tokens)
    assert plain.abs().max() > 0.05
    assert torch.allclose(found, plain, atol=1e-5)


def test_outside_of_inference_mode_the_function_itself_runs() -> None:
    layer, inputs = nn.Linear(3, 3), torch.ones(2, 3)
    call = CompiledCall('layer', lambda values: layer(values) * (3 if torch.compiler.is_compiling() else 1), False)
    call(inputs).sum().backward()
    with torch.no_grad():
        assert torch.equal(call(inputs), layer(inputs))
    assert torch.allclose(layer.weight.grad, torch.full((3, 3), 2.0))


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('torch._inductor.config.cpp.cxx', ('no-such-compiler',))
    monkeypatch.setattr('torch._inductor.config.fx_graph_cache', False)
    message = '^val:compile: torch.compile fails on the backbone .*use compile: false$'
    with torch.inference_mode(), pytest.raises(UserError, match=message):
        CompiledCall('backbone', lambda values: (values + 1.25).cos(), False)(torch.ones(3))
