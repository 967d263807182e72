"""Sharp photographs, blurred on the fly."""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from basicsr.utils.registry import DATASET_REGISTRY

from glowdeblur_plugin.data.augment import change_colours, magnified_window, magnify
from glowdeblur_plugin.data.dataset_base import DeblurDataset, Symmetry, limit_worker_threads, random_crop, to_tensor
from glowdeblur_plugin.data.picture_source import open_source
from glowdeblur_plugin.data.randomness import draw_generator
from glowdeblur_plugin.data.sample_texts import SampleTexts, TextOptions
from glowdeblur_plugin.data.simulate.domains import DOMAINS, KINDS, Domain
from glowdeblur_plugin.data.simulate.motion import flip_motion, flip_trajectory
from glowdeblur_plugin.data.simulate.pipeline import Truth, layer_covers, simulate, surroundings, true_motion
from glowdeblur_plugin.data.simulate.plan import draw_plan, margin
from glowdeblur_plugin.data.simulate.recipe import empty_recipe, recipe_of
from glowdeblur_plugin.data.window import Window
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.options import Between, unknown_key

Range = Annotated[tuple[float, float], Between(0)]
Chance = Annotated[float, Between(0, 1)]
LONGEST_BLUR, MOST_POINTS = 100, 64
DOMAIN_KEYS = ('kinds', 'blur_length', 'direction', 'noise', 'bayer', 'rolling_shutter', 'jpeg')


@dataclass(kw_only=True)
class SimulatedBlurOptions(TextOptions):
    """Keys of a `SimulatedBlurDataset` section.

    Attributes:
        dataroot_gt: sharp pictures, a packed set (.lmdb) or a folder.
        domain: name of the blur domain, see `simulate/domains.py`.
        kinds, blur_length, direction, noise, bayer, rolling_shutter, jpeg: take the place of the domain's own, see `Domain`;
            `kinds` is a section of weights.
        zoom: smallest and largest factor by which a training picture is magnified before it is blurred.
        change_colours: shuffle and scale the colour channels of a training picture before it is blurred.
        draws_per_picture: how many blurs validation and test apply to each picture, one after the other.
        trajectory: at how many equally spaced times of the exposure, 2 to 64, the sample says where each point is; none by
            default.
        render: where training crops are blurred: by the loader's `worker`, or by the model on its `device`. Validation and
            test always use the worker, so that their pictures do not depend on the device.
    """

    dataroot_gt: str
    domain: Literal[tuple(DOMAINS)]
    kinds: dict[str, Annotated[float, Between(0)]] | None = None
    blur_length: Annotated[tuple[float, float], Between(0, LONGEST_BLUR)] | None = None
    direction: Annotated[tuple[float, float], Between(-180, 180)] | None = None
    noise: Range | None = None
    bayer: Chance | None = None
    rolling_shutter: Chance | None = None
    jpeg: Chance | None = None
    zoom: Annotated[tuple[float, float], Between(0.1, 10)] | None = None
    change_colours: bool = False
    draws_per_picture: Annotated[int, Between(1)] = 1
    trajectory: Annotated[int, Between(2, MOST_POINTS)] | None = None
    render: Literal['worker', 'device'] = 'worker'


@DATASET_REGISTRY.register()
class SimulatedBlurDataset(DeblurDataset):
    """Pairs made from sharp pictures by the blur simulator, with their true motion.

    Training gives random crops with flips; validation and test give whole pictures less the margin that the largest
    displacement needs, blurred by random numbers that depend on (seed, index) alone.
    Samples hold `lq`, `gt` (3, H, W), `motion` (3, H, W) in pixels, `motion_known` (True), `domain` (its name) and both paths;
    with the option `trajectory` also `trajectory` (2 K, H, W): x and y from each pixel to its point at each time, in pixels,
    and `trajectory_known` (True); with texts of the sharp pictures what `SampleTexts` reads.
    With `render: device`, `lq` and `gt` are zero until the model renders the sample's `render`, see `simulate.recipe`.

    Raises:
        UserError: wrong option; missing, damaged or too small picture.
    """

    Options = SimulatedBlurOptions

    def __init__(self, opt: Mapping[str, Any], section: str | None = None) -> None:
        super().__init__(opt, section)
        self.domain = resolve_domain(self.options, self.section)
        self.source = open_source(self.options.dataroot_gt, f'{self.section}:dataroot_gt', self.options.made_by)
        self.edge = self.render_edge = margin(self.domain)
        self.keys = self.usable_keys(self.source, self.edge)
        self.texts = SampleTexts(self.options, self.section, self.source)

    @classmethod
    def read_options(cls, opt: Mapping[str, Any], section: str) -> SimulatedBlurOptions:
        """Check the section, its ranges and kinds of blur too, see the base class."""
        options = super().read_options(opt, section)
        for kind in options.kinds or {}:
            if kind not in KINDS:
                raise unknown_key(f'{section}:kinds', kind, KINDS)
        if options.kinds is not None and sum(options.kinds.values()) <= 0:
            raise UserError(f'{section}:kinds: all weights are 0; give at least one of {", ".join(KINDS)} a weight above 0')
        for key in ('blur_length', 'direction', 'noise', 'zoom'):
            limits = getattr(options, key)
            if limits is not None and limits[0] > limits[1]:
                raise UserError(f'{section}:{key}: {list(limits)} must be [smallest, largest]')
        domain = resolve_domain(options, section)
        if options.render == 'device' and domain.rolling_shutter > 0:
            raise UserError(f'{section}:render: a rolling shutter, which domain {options.domain} has in '
                            f'{domain.rolling_shutter:g} of its draws, is rendered by workers only; set rolling_shutter: 0, '
                            'or render: worker')
        return options

    def __len__(self) -> int:
        return len(self.keys) * (1 if self.training else self.options.draws_per_picture)

    def __getitem__(self, draw: int) -> dict[str, Any]:
        limit_worker_threads()
        key = self.keys[draw % len(self.keys)]
        rng = draw_generator(self.options.seed, draw, 'simulated blur')
        picture, window = self._picture(key, rng)
        rendered = self._for_device if self.renders_on_device else self._in_worker
        sample = rendered(picture, window, rng)
        path = self.lq_path(draw)
        return {**sample, **self.texts.read(key), 'domain': self.options.domain, 'lq_path': path, 'gt_path': path}

    def lq_path(self, draw: int) -> str:
        """The path of the sample of a draw, without reading anything."""
        path = self.source.describe(self.keys[draw % len(self.keys)])
        return f'{path}_{draw // len(self.keys)}' if not self.training and self.options.draws_per_picture > 1 else path

    @property
    def renders_on_device(self) -> bool:
        """Whether samples hold a recipe `render` for the model's device instead of pictures."""
        return self.training and self.options.render == 'device'

    def _in_worker(self, picture: np.ndarray, window: Window, rng: np.random.Generator) -> dict[str, Any]:
        sample = simulate(picture, window, self.domain, rng, self.options.trajectory or 0)
        symmetry = self._symmetry(rng)
        lq, gt = (to_tensor(symmetry(side) if symmetry else side, self.options.dtype) for side in (sample.lq, sample.gt))
        return {'lq': lq, 'gt': gt, **_motion_tensors(Truth(sample.motion, sample.trajectory), symmetry)}

    def _for_device(self, picture: np.ndarray, window: Window, rng: np.random.Generator) -> dict[str, Any]:
        """`_in_worker` with the same random draws, without the pictures."""
        plan = draw_plan(self.domain, window.height, window.width, rng)
        source = surroundings(picture, window, self.edge)
        covers = layer_covers(plan, source)
        truth = true_motion(plan, covers, window.height, window.width, self.options.trajectory or 0)
        symmetry = self._symmetry(rng)
        flips = (symmetry.horizontal, symmetry.vertical, symmetry.transpose)
        blank = torch.zeros(3, window.height, window.width, dtype=getattr(torch, self.options.dtype))
        return {'lq': blank, 'gt': blank.clone(), **_motion_tensors(truth, symmetry),
                'render': recipe_of(plan, source, covers, flips, self.options.gt_size + 2 * self.render_edge)}

    def _symmetry(self, rng: np.random.Generator) -> Symmetry | None:
        return Symmetry(self.options, rng) if self.training else None

    def blank_extras(self) -> dict[str, Any]:
        """No motion, and not known, no text, and with `render: device` nothing to render, see the base class."""
        side, points = self.options.gt_size, self.options.trajectory
        blanks = {'motion': torch.zeros(3, side, side), 'motion_known': False}
        if points:
            blanks |= {'trajectory': torch.zeros(2 * points, side, side), 'trajectory_known': False}
        if self.renders_on_device:
            blanks['render'] = empty_recipe(side + 2 * self.render_edge)
        return blanks | self.texts.blanks()

    def _picture(self, key: str, rng: np.random.Generator) -> tuple[np.ndarray, Window]:
        """The sharp picture, or what augmentation makes of a part of it, and the window that is to be rendered."""
        size = self.source.sizes[key]
        if not self.training:
            return self.source.read(key), Window(self.edge, self.edge, size[0] - 2 * self.edge, size[1] - 2 * self.edge)
        inside = Window(self.edge, self.edge, self.options.gt_size, self.options.gt_size)
        side = self.options.gt_size + 2 * self.edge
        if self.options.zoom is None and not self.options.change_colours:
            return self.source.read(key, random_crop(size, side, 0, rng)), inside
        picture = self.source.read(key, magnified_window(size, side, self.options.zoom or (1.0, 1.0), rng))
        picture = magnify(picture, side)
        if self.options.change_colours:
            picture = change_colours(picture, rng)
        return picture, inside

    def fingerprint(self) -> str:
        """Hash of the settings, of the domain they come to, and of the pictures' keys and sizes."""
        return self.hash_of([self.source], asdict(self.domain), self.texts.kinds)


def resolve_domain(options: SimulatedBlurOptions, section: str) -> Domain:
    """The domain named by the options, with the options' own values where they are given.

    Raises:
        UserError: noise that the domain's response cannot have; starts with `section`.
    """
    own = {key: getattr(options, key) for key in DOMAIN_KEYS if getattr(options, key) is not None}
    try:
        return dataclasses.replace(DOMAINS[options.domain], **own)
    except UserError as error:
        raise UserError(f'{section}:{error}') from None


def _motion_tensors(truth: Truth, symmetry: Symmetry | None) -> dict[str, Any]:
    """`motion` and, where it was asked for, `trajectory` of a sample under a symmetry."""
    motion, trajectory = truth
    if symmetry is not None:
        flips = (symmetry.horizontal, symmetry.vertical, symmetry.transpose)
        motion = flip_motion(motion, *flips)
        trajectory = None if trajectory is None else flip_trajectory(trajectory, *flips)
    known = {'motion': torch.from_numpy(motion), 'motion_known': True}
    return known if trajectory is None else known | {'trajectory': torch.from_numpy(trajectory), 'trajectory_known': True}
