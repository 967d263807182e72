"""The choice between whole and tiles: what memory it reckons with, and what it makes of less."""

import logging
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from glowdeblur_plugin import resources
from glowdeblur_plugin.archs.glowdeblur_arch import GLOWDeblur
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.models import tile_choice
from glowdeblur_plugin.models.dry_run import LiveBytes
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings, evaluate
from glowdeblur_plugin.models.glowdeblur_model import GLOWDeblurValOptions
from glowdeblur_plugin.models.text_guidance import guided_velocity
from glowdeblur_plugin.models.tile_choice import KEPT_BYTES, USED_SHARE, MemoryNeed, TileChoice, memory_need
from glowdeblur_plugin.models.tiled_network import TiledGLOWDeblur
from glowdeblur_plugin.options import read_section
from glowdeblur_plugin.resources import free_bytes

MIB = 2**20


@pytest.fixture(scope='module')
def net() -> GLOWDeblur:
    """A nano network."""
    torch.manual_seed(0)
    return GLOWDeblur('nano').eval()


@pytest.fixture(scope='module')
def need(net: GLOWDeblur) -> MemoryNeed:
    """What it needs."""
    return memory_need(net)


@torch.no_grad()
def _measured(net: GLOWDeblur, height: int, width: int) -> int:
    """The peak of the tensors of a real run, with guidance on a text where the network reads any."""
    with LiveBytes() as live:
        condition = net.condition(torch.rand(1, 3, height, width))
        texts = {} if net.semantic == 'none' else {'text': torch.rand(1, 300, 32), 'text_mask': torch.ones(1, 300)}
        velocity = guided_velocity(net, condition, **texts, guidance=3.0)
        net.decode(velocity(torch.randn(condition.aligned.shape), torch.full((1, ), 0.5)))
    return live.peak


@pytest.mark.parametrize('size', [(96, 160), (400, 304)])
def test_the_need_is_that_of_a_real_run(net: GLOWDeblur, need: MemoryNeed, size: tuple[int, int]) -> None:
    """Also at sizes between and beyond those it was counted at, 128 and 256, and of another shape."""
    assert need.bytes(*size) == pytest.approx(_measured(net, *size), rel=0.02)


def test_tiles_take_what_was_reckoned(net: GLOWDeblur, need: MemoryNeed) -> None:
    """A tile's need and what is kept of the whole picture, which is less than the whole picture's need."""
    with torch.no_grad(), LiveBytes() as live:
        evaluate(TiledGLOWDeblur(net, (128, 128), 32), {'lq': torch.rand(1, 3, 400, 304)}, torch.Generator(),
                 RestorationSettings(steps=1), full=False)
    assert live.peak < need.bytes(128, 128) + KEPT_BYTES * 400 * 304
    assert live.peak < 0.5 * need.bytes(400, 304)


def test_texts_and_guidance_need_more(need: MemoryNeed) -> None:
    reading = GLOWDeblur('nano', semantic='cache').eval()
    assert memory_need(reading).bytes(400, 304) == pytest.approx(_measured(reading, 400, 304), rel=0.02)
    assert memory_need(reading).per_pixel > 1.2 * need.per_pixel


def test_bf16_needs_less_for_each_pixel_and_the_copies_of_the_weights(net: GLOWDeblur, need: MemoryNeed) -> None:
    """Counted within autocast, which keeps copies; the real run behind it shows that none of those without values stay."""
    with torch.autocast('cpu', torch.bfloat16):
        halved = memory_need(net)
        assert halved.bytes(96, 160) == pytest.approx(_measured(net, 96, 160), rel=0.02)
    assert halved.per_pixel < 0.9 * need.per_pixel
    copied = sum(layer.weight.numel() for layer in net.modules() if isinstance(layer, torch.nn.Linear))
    assert halved.fixed > need.fixed + 2 * copied


def test_views_of_weights_need_nothing() -> None:
    layer = torch.nn.Linear(1000, 10)
    with torch.no_grad(), LiveBytes() as live:
        kept = layer(torch.zeros(5, 1000))
    assert live.peak == 4 * 5 * 1000 + kept.nbytes


class _Machine:
    """Fits a network, whose need is known, to pictures on a machine with so much free memory."""

    def __init__(self, net: GLOWDeblur, need: MemoryNeed, monkeypatch: pytest.MonkeyPatch) -> None:
        self.net, self.patch = net, monkeypatch
        monkeypatch.setattr(tile_choice, 'memory_need', lambda _: need)

    def fit(self, free: float, height: int = 701, width: int = 1000, **settings: Any) -> GLOWDeblur | TiledGLOWDeblur:
        self.patch.setattr(tile_choice, 'free_bytes', lambda device: int(free))
        return TileChoice(RestorationSettings(**{'tile_overlap': 64, **settings}), self.net).fit(self.net, height, width)


@pytest.fixture
def machine(net: GLOWDeblur, need: MemoryNeed, monkeypatch: pytest.MonkeyPatch) -> _Machine:
    """See there."""
    return _Machine(net, need, monkeypatch)


def test_tiles_shrink_with_the_memory(net: GLOWDeblur, need: MemoryNeed, machine: _Machine) -> None:
    """Never more than is free; as few tiles as the largest square ones that fit, and the smallest of that number."""
    kept = KEPT_BYTES * 704 * 1008
    whole = need.bytes(704, 1008) + kept
    assert machine.fit(1.01 * whole / USED_SHARE) is net
    areas = []
    for free in (0.99 * whole, 0.9 * whole, 0.8 * whole, 0.7 * whole):
        tiled = machine.fit(free / USED_SHARE)
        assert isinstance(tiled, TiledGLOWDeblur) and need.bytes(*tiled.tile) + kept <= free
        assert not any(side % 16 for side in tiled.tile)
        largest = max(side for side in range(128, 1008, 16) if need.bytes(min(side, 704), side) + kept <= free)
        for length, side in zip((704, 1008), tiled.tile):
            assert _count(length, side - 16) > _count(length, side) == _count(length, largest)
        areas.append(tiled.tile[0] * tiled.tile[1])
    assert all(larger > smaller for larger, smaller in pairwise(areas))


def _count(length: int, side: int) -> int:
    """Tiles that cover `length` when each begins as far on as the overlap of 64 allows."""
    count, end = 1, side
    while end < length:
        count, end = count + 1, end + side - 64
    return count


def test_too_little_memory_is_one_line(need: MemoryNeed, machine: _Machine) -> None:
    least = need.bytes(128, 128) + KEPT_BYTES * 704 * 1008
    assert max(machine.fit(1.001 * least / USED_SHARE).tile) == 128
    with pytest.raises(UserError, match=r'^val:tile: 1008x704 needs 0\.\d\d GiB even in tiles of 128 pixels, and 0\.\d\d GiB '
                                        'are free on cpu, of which 80% are used; free some, or use a smaller tile_overlap or '
                                        'smaller pictures$'):
        machine.fit(0.99 * least / USED_SHARE)


def test_none_and_numbers_do_not_look_at_the_memory(net: GLOWDeblur, machine: _Machine) -> None:
    assert machine.fit(0, tile='none') is net
    assert machine.fit(0, tile=1008) is net
    assert machine.fit(0, tile=512).tile == (512, 512)
    assert machine.fit(0, tile=720).tile == (704, 720)


def test_none_is_nothing_too() -> None:
    """As BasicSR reads it on the command line."""
    assert [read_section(GLOWDeblurValOptions, section, 'val').tile for section in ({}, {'tile': None}, {'tile': 'none'})] == [
        'auto', 'none', 'none']


def test_a_picture_that_cannot_be_cut_is_whole(net: GLOWDeblur, machine: _Machine) -> None:
    assert machine.fit(0, height=128, width=113) is net


@pytest.mark.parametrize('settings, message', [
    ({'tile': 'large'}, r"val:tile: expected one of auto, none or a whole number, at least 1, found 'large'"),
    ({'tile': 0}, 'val:tile: expected one of auto, none or a whole number, at least 1, found 0'),
    ({'tile_overlap': -16}, 'val:tile_overlap: -16 is out of range, must be at least 0'),
    ({'tile_overlap': 100}, 'val:tile_overlap: 100 is not a multiple of 16, which this network needs; use 96 or 112'),
    ({'tile': 500}, 'val:tile: 500 is not a multiple of 16, which this network needs; use 496 or 512'),
    ({'tile': 250}, 'val:tile: 250 is not a multiple of 16, which this network needs; use 256'),
    ({'tile': 240}, 'val:tile: 240 is less than two overlaps; use at least 256, or a smaller tile_overlap'),
])
def test_bad_values_are_refused(net: GLOWDeblur, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        TileChoice(read_section(GLOWDeblurValOptions, settings, 'val'), net)
    assert str(error.value) == message


def test_the_log_tells_each_choice_once(net: GLOWDeblur, need: MemoryNeed, machine: _Machine,
                                        caplog: pytest.LogCaptureFixture) -> None:
    machine.patch.setattr(tile_choice, 'free_bytes', lambda device: 300 * MIB)
    machine.patch.setattr(tile_choice, 'get_root_logger', lambda: logging.getLogger('tiles'))
    choice = TileChoice(RestorationSettings(tile_overlap=64), net)
    with caplog.at_level(logging.INFO, 'tiles'):
        for size in ((300, 400), (704, 1008), (310, 400), (704, 1000)):
            choice.fit(net, *size)
    small, large = ((need.bytes(*size) + KEPT_BYTES * size[0] * size[1]) / 2**30 for size in ((304, 400), (704, 1008)))
    free = '0.29 GiB are free on cpu, of which 80% are used'
    tile = choice.fit(net, 704, 1008).tile
    assert caplog.messages == [
        f'Pictures are restored whole: 400x304 whole needs {small:.2f} GiB, {free}',
        f'Pictures are restored in tiles of {tile[1]}x{tile[0]} that share 64 pixels: 1008x704 whole needs {large:.2f} GiB, '
        f'{free}'
    ]


def test_a_compiled_network_is_counted_as_it_is(net: GLOWDeblur, need: MemoryNeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net.motion, 'forward', torch.compile(net.motion.forward, dynamic=False))
    assert memory_need(net) == need


def test_free_memory_is_what_the_system_says_or_what_a_limit_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, group = torch.device('cpu'), tmp_path / 'sys/fs/cgroup'
    monkeypatch.setattr(resources, 'Path', lambda path: tmp_path / path.lstrip('/'))
    assert free_bytes(cpu) == os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    for file, text in (('proc/meminfo', 'MemTotal: 900 kB\nMemFree: 100 kB\nMemAvailable:     700 kB\n'),
                       ('sys/fs/cgroup/memory.current', '300000\n'),
                       ('sys/fs/cgroup/memory.stat', 'anon 5\ninactive_file 50000\nactive_file 7\n')):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    for limit, expected in (('max', 700 * 1024), ('400000', 150000), ('9000000', 700 * 1024)):
        (group / 'memory.max').write_text(limit + '\n')
        assert free_bytes(cpu) == expected
