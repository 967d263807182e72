"""Which texts and which motion reach GLOWDeblur: any in training; in evaluation none that the sharp picture had a part in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glowdeblur_plugin.archs.glowdeblur_arch import Condition, GLOWDeblur, resize_motion
from glowdeblur_plugin.archs.padding import pad_to_multiple
from glowdeblur_plugin.data.lmdb_store import read_manifest, read_sizes
from glowdeblur_plugin.data.sample_texts import TextOptions
from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.diffusion.pretrained import WeightsReference
from glowdeblur_plugin.errors import UserError

NEEDED = {'cache': 'embedding', 'live': 'caption'}
ORIGINS = {'cache': 'text_origin', 'live': 'caption_origin'}


def kept_texts(net: GLOWDeblur, batch: Mapping[str, Any], keep: Sequence[bool]) -> dict[str, Tensor]:
    """The arguments `text` and `text_mask` of `GLOWDeblur.velocity` for the samples of a batch; empty where there are no texts.

    Args:
        keep: whether a sample's text counts; the null embedding stands in for others.

    Raises:
        UserError: texts that the network cannot take.
    """
    if net.semantic == 'live' and 'caption' in batch:
        text, mask = net.text_encoder.held.encode([caption if kept else '' for caption, kept in zip(batch['caption'], keep)])
        return {'text': text, 'text_mask': mask}
    if net.semantic == 'cache' and 'text' in batch:
        text, mask = batch['text'], batch['text_mask']
        for what, option, found, wanted in (('channels', 'dataroot_embedding', text.shape[2], net.null_text.shape[2]),
                                            ('tokens', 'text_length', text.shape[1], net.text_length)):
            if found != wanted:
                raise UserError(f'datasets: {option}: texts have {found} {what}, network_g takes {wanted}')
        kept = torch.tensor(keep, device=mask.device)
        return {'text': text, 'text_mask': mask & kept[:, None]}
    return {}


def allowed_texts(net: GLOWDeblur, batch: Mapping[str, Any], oracle: bool = False) -> dict[str, Tensor]:
    """`kept_texts` for restoring: only texts that say they were made from the blurry picture, unless `oracle`."""
    origins = batch.get(ORIGINS.get(net.semantic), ['sharp'] * len(batch['lq']))
    keep = [oracle or origin == 'blurry' for origin in origins]
    return kept_texts(net, batch, keep) if any(keep) else {}


def with_true_motion(net: GLOWDeblur, condition: Condition, batch: Mapping[str, Any]) -> Condition:
    """The condition with the true motion map in place of the estimated one, where the batch of one knows it."""
    if 'motion' not in batch or not bool(batch.get('motion_known', True)):
        return condition
    truth = resize_motion(pad_to_multiple(batch['motion'], net.size_multiple), condition.motion_map.shape[-2:])
    return replace(condition, motion_map=truth / net.compression)


def check_texts(net: GLOWDeblur, datasets: Mapping[str, Any], is_train: bool) -> None:
    """Compare what the network reads with what the data sets give, before a run; a network that reads embeddings takes note of
    the encoder that made them, for its checkpoints.

    Raises:
        UserError: training data without the texts that the network reads, embeddings of several encoders, or of another length
            or width than the network's.
    """
    if net.semantic == 'none':
        return
    key = f'dataroot_{NEEDED[net.semantic]}'
    if is_train and not any(_sections(datasets.get('train', {}), key)):
        raise UserError(f'network_g:semantic: {net.semantic} needs {key} in datasets:train, found none; give it, or set '
                        'semantic: none')
    if net.semantic == 'cache':
        sections = list(_sections(datasets, key, 'datasets'))
        for place, section in sections:
            _check_size(net, place, section, section[key])
        reference = _encoder_of([section[key] for _, section in sections])
        net.text_encoder = None if reference is None else Frozen(nn.Module(), reference)


def _check_size(net: GLOWDeblur, place: str, section: Mapping[str, Any], root: str) -> None:
    found = section.get('text_length', TextOptions.text_length)
    if found != net.text_length:
        raise UserError(f'{place}:text_length: is {found}, network_g:text_length is {net.text_length}; make them the same')
    if read_manifest(Path(root)) is None:
        return
    wanted, channels = net.null_text.shape[2], next((size[1] for size in read_sizes(Path(root)).values()), None)
    if channels not in (None, wanted):
        raise UserError(f'{place}:dataroot_embedding: texts of {root} have {channels} channels, network_g takes {wanted}')


def _encoder_of(roots: list[str]) -> WeightsReference | None:
    """The encoder that made embeddings; None where no set says so."""
    first: tuple[str, WeightsReference] | None = None
    for root in roots:
        manifest = read_manifest(Path(root))
        if manifest is None or 'encoder_sha256' not in manifest.details:
            continue
        reference = WeightsReference(*(str(manifest.details.get(key)) for key in ('encoder', 'encoder_sha256')))
        if first is not None and reference.sha256 != first[1].sha256:
            raise UserError(f'dataroot_embedding: {root} was made by {reference}, but {first[0]} by {first[1]}; all embeddings '
                            'of a run must be of one encoder and instruction')
        first = first or (root, reference)
    return None if first is None else first[1]


def _sections(section: Mapping[str, Any], key: str, place: str = '') -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those in `section`, it included, that have a value for `key`, and their places."""
    if section.get(key):
        yield place, section
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _sections(value, key, f'{place}:{name}')
