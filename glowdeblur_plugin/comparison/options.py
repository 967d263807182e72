"""The option file of a comparison."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from glowdeblur_plugin.data.packers.prepare import PrepareOptions
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.metrics.catalogue import METRICS, open_metric, protocols_of
from glowdeblur_plugin.metrics.protocols import PROTOCOLS
from glowdeblur_plugin.models.glowdeblur_evaluation import RestorationSettings
from glowdeblur_plugin.options import Between, read_section, unknown_key

FEWEST_SEEDS = 3
RESERVED = ('blurry', 'codec', 'sharp')
NAME = re.compile(r'\w[\w.+-]*')
SAMPLING = ('steps', 'solver', 'colour')
SETTINGS = ('tlc', 'precision', 'tile', 'tile_overlap', 'param_key', *SAMPLING)


@dataclass(kw_only=True)
class NetworkOptions:
    """A network that is run here, a section of `methods` with `weights`.

    Attributes:
        weights: file of weights, ours or the authors'.
        option: option file that says which network it is, where the weights do not.
        label: in tables; the method's name by default.
        made_by: the command that makes the weights, quoted when they are missing.
        tlc, precision, tile, tile_overlap, param_key: see `Restorer.from_weights`; what is not given is as in the option file.
        steps, solver, colour: of GLOWDeblur, see `RestorationSettings`.
    """

    weights: str
    option: str | None = None
    label: str | None = None
    made_by: str | None = None
    tlc: bool | None = None
    precision: Literal['fp32', 'bf16', 'fp16'] | None = None
    tile: Literal['auto', 'none'] | Annotated[int, Between(1)] | None = None
    tile_overlap: Annotated[int, Between(0)] | None = None
    param_key: str | None = None
    steps: Annotated[int, Between(1)] | None = None
    solver: str | None = None
    colour: str | None = None

    def settings(self, keys: Sequence[str] = SETTINGS) -> dict[str, Any]:
        """Those of the settings that are given."""
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}


@dataclass(kw_only=True)
class FolderOptions:
    """Results made elsewhere, a section of `methods` with `results`.

    Attributes:
        results: folder of pictures, `{set}` standing for the set's name, such as `results/mprnet/{set}`.
        suffix: ends the names of its pictures before the dot, such as `_mprnet`.
        label: in tables; the method's name by default.
    """

    results: str
    suffix: str = ''
    label: str | None = None


@dataclass(kw_only=True)
class SetOptions:
    """Keys of a section of `sets` that are not those of its data set.

    Attributes:
        type: class of the data set, `PairedLMDBDataset` or `SimulatedBlurDataset`.
        same_as: in place of a data set, the name of another set whose pictures are measured in another way too. Networks
            restore them once, and `{set}` in the path of results stands for that set.
        protocol: how pictures are compared, see `metrics/protocols.py`.
        crop_border: pixels left out at each side.
        metrics: see `metrics/catalogue.py`.
        first: take only so many pictures; the tables say so.
        label: in tables; the set's name by default.
    """

    type: Literal['PairedLMDBDataset', 'SimulatedBlurDataset'] | None = None
    same_as: str | None = None
    protocol: Literal[tuple(PROTOCOLS)] = 'rgb-u8'
    crop_border: Annotated[int, Between(0)] = 0
    metrics: list[str]
    first: Annotated[int, Between(1)] | None = None
    label: str | None = None


SET_KEYS = frozenset(entry.name for entry in fields(SetOptions)) - {'type'}


@dataclass(kw_only=True)
class PublishedFigure:
    """A figure out of a paper and, where it is not `published_source`, its own source."""

    value: float
    source: str | None = None


@dataclass(kw_only=True)
class CompareOptions:
    """Top level of the file.

    Attributes:
        name: of the comparison.
        out: folder of its results; `results/<name>` by default.
        device: `auto`, `cpu`, `cuda` or `cuda:1`.
        seeds: of the noise, at least three, for methods that sample; all others are run once.
        codec: add the codec's own round trip of the sharp picture, of the first method that has a codec.
        motion_weights: MotionEstimator whose estimate `reblur` and `reblur-gain` go by, instead of `report/blur_estimate.py`.
        metric_settings: metric -> settings of it, such as `{maniqa: {download: true}}`, see `open_metric`.
        prepare: sample sets that are packed where they are missing.
        methods: name -> `NetworkOptions` or `FolderOptions`; `~` leaves a method out.
        sets: name -> `SetOptions` beside the keys of the data set; `~` leaves a set out.
        published: method -> set -> metric -> figure; a method that is not under `methods` gets a row of its own.
        published_source: where they stand.
        labels: of published methods that are not under `methods`.
    """

    name: str
    out: str | None = None
    device: str = 'auto'
    seeds: Annotated[list[int], Between(0, 2**31)] = field(default_factory=lambda: [0, 1, 2])
    codec: bool = True
    motion_weights: str | None = None
    metric_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    prepare: list[PrepareOptions] = field(default_factory=list)
    methods: dict[str, dict[str, Any] | None]
    sets: dict[str, dict[str, Any] | None]
    published: dict[str, dict[str, dict[str, float | PublishedFigure]]] = field(default_factory=dict)
    published_source: str | None = None
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return Path(self.out or f'results/{self.name}')


@dataclass
class Comparison:
    """A checked option file: its top level, and the sections under `methods` and `sets` in their classes; `data` holds for each
    set the keys of its data set, of one that is `same_as` another those of the other."""

    top: CompareOptions
    methods: dict[str, NetworkOptions | FolderOptions]
    sets: dict[str, SetOptions]
    data: dict[str, dict[str, Any]]


def read_comparison(opt: Mapping[str, Any]) -> Comparison:
    """Check an option file as far as no file needs to be opened.

    Raises:
        UserError: unknown key or name, with the nearest valid one; a metric that a set's protocol does not have.
    """
    top = read_section(CompareOptions, opt, 'option file')
    _check_names('name', [top.name])
    if len(set(top.seeds)) != len(top.seeds):
        raise UserError(f'seeds: {top.seeds} has one twice, which would count its pictures twice')
    methods = {name: _read_method(name, section) for name, section in _given(top.methods, 'methods').items()}
    sections = _given(top.sets, 'sets')
    sets = {name: _read_set(name, section) for name, section in sections.items()}
    data = {name: {key: value for key, value in section.items() if key not in SET_KEYS} for name, section in sections.items()}
    for name, options in sets.items():
        if options.same_as is not None:
            _take_over(name, sets, data)
    for metric in top.metric_settings:
        if metric not in METRICS:
            raise unknown_key('metric_settings', metric, METRICS)
    _check_published(top, methods, sets)
    return Comparison(top, methods, sets, data)


def _given(sections: Mapping[str, dict[str, Any] | None], option: str) -> dict[str, dict[str, Any]]:
    given = {name: section for name, section in sections.items() if section is not None}
    if not given:
        raise UserError(f'{option}: there is none; give at least one')
    _check_names(option, given)
    return given


def _check_names(option: str, names: Any) -> None:
    for name in names:
        if not NAME.fullmatch(name) or '__' in name:
            raise UserError(f"{option}: '{name}' names files; letters, digits and . + - _ are allowed, but __ "
                            'and . + - at the beginning are not')


def _read_method(name: str, section: dict[str, Any]) -> NetworkOptions | FolderOptions:
    option = f'methods:{name}'
    if name in RESERVED:
        raise UserError(f"{option}: '{name}' is the name of a row that is added; take another")
    if ('weights' in section) == ('results' in section):
        raise UserError(f'{option}: give either weights (a network that is run) or results (a folder of pictures made '
                        'elsewhere)')
    if 'results' in section:
        return read_section(FolderOptions, section, option)
    options = read_section(NetworkOptions, section, option)
    read_section(RestorationSettings, options.settings(SAMPLING), option)
    return options


def _take_over(name: str, sets: dict[str, SetOptions], data: dict[str, dict[str, Any]]) -> None:
    """Give a set that is `same_as` another what makes the other's pictures."""
    options, option = sets[name], f'sets:{name}:same_as'
    if options.same_as not in sets or sets[options.same_as].same_as is not None:
        own = [other for other, section in sets.items() if section.same_as is None]
        raise UserError(f"{option}: '{options.same_as}' is not a set with pictures of its own here; there are: "
                        f"{', '.join(own)}")
    keys = [*data[name], *(key for key in ('type', 'first') if getattr(options, key) is not None)]
    if keys:
        raise UserError(f'{option}: the pictures are those of {options.same_as}; remove {", ".join(keys)}')
    other = sets[options.same_as]
    options.type, options.first, data[name] = other.type, other.first, data[options.same_as]


def _read_set(name: str, section: dict[str, Any]) -> SetOptions:
    option = f'sets:{name}'
    known = {key: value for key, value in section.items() if key in SET_KEYS or key == 'type'}
    options = read_section(SetOptions, known, option)
    if options.type is None and options.same_as is None:
        raise UserError(f"{option}: key 'type' is missing (PairedLMDBDataset or SimulatedBlurDataset)")
    for metric in options.metrics:
        if metric not in METRICS:
            _refuse(metric, option)
        if options.protocol not in protocols_of(metric):
            raise UserError(f'{option}:metrics: {metric} does not exist under the protocol {options.protocol}; it does under '
                            f'{", ".join(protocols_of(metric))}')
    if not options.metrics or len(set(options.metrics)) != len(options.metrics):
        raise UserError(f'{option}:metrics: give at least one, each once; found {options.metrics}')
    return options


def _refuse(metric: str, option: str) -> None:
    """The catalogue's own error, which knows what was meant."""
    try:
        open_metric(metric)
    except UserError as error:
        raise UserError(f'{option}:{error}') from None


def _check_published(top: CompareOptions, methods: Mapping[str, Any], sets: Mapping[str, SetOptions]) -> None:
    for method, by_set in top.published.items():
        _check_names('published', [method])
        if method in RESERVED:
            raise UserError(f'published:{method}: there are no published figures of this row')
        for name, by_metric in by_set.items():
            if name not in top.sets:
                raise unknown_key(f'published:{method}', name, top.sets)
            for metric, figure in by_metric.items():
                if metric not in METRICS:
                    raise unknown_key(f'published:{method}:{name}', metric, METRICS)
                if name in sets and metric not in sets[name].metrics:
                    raise UserError(f'published:{method}:{name}: {metric} is not among the metrics of the set')
                if top.published_source is None and not getattr(figure, 'source', None):
                    raise UserError(f'published:{method}:{name}:{metric}: has no source; give it one, or the key '
                                    'published_source')
    for name in top.labels:
        if name not in top.published or name in methods:
            raise unknown_key('labels', name, set(top.published) - set(methods))
