"""Encoding the sharp pictures of a packed set once, into a packed set of latents beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from glowdeblur_plugin.data.lmdb_store import Manifest, read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.published import manifest_differences
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.sample_latents import MAKE_AGAIN, pictures_digest
from glowdeblur_plugin.data.side_data import LatentSource, encode_latent
from glowdeblur_plugin.diffusion.frozen import Frozen
from glowdeblur_plugin.errors import UserError

VERSION = 1


def codec_details(codec: Frozen) -> dict[str, Any]:
    """What a manifest keeps of the codec: where its weights came from, and all that changes latents."""
    held, reference = codec.held, codec.reference
    return {'codec': type(held).__name__ if reference is None else reference.source,
            'sha256': None if reference is None else reference.sha256,
            'channels': held.latent_channels, 'compression': held.compression,
            'scaling_factor': getattr(held, 'scaling_factor', 1.0), 'shift_factor': getattr(held, 'shift_factor', 0.0)}


def write_latents(codec: Frozen, pictures: LmdbSource, out: Path, device: torch.device, batch_size: int, workers: int = 0,
                  progress: Progress = silent) -> bool:
    """Write the latents of all `pictures`, which are of one size, to the packed set `out`, under the same keys.

    Interrupted work goes on where it was. Each picture is encoded among the same others whenever the work was interrupted, in
    float32, so that the set does not depend on it.

    Args:
        batch_size: pictures that are encoded at once.
        workers: processes that read them, 0 for this one.

    Returns:
        Whether there was anything to do: False where `out` is there, of the same pictures and codec.

    Raises:
        UserError: sides that the codec cannot take, another set at `out`, a damaged picture, a latent beyond float16, or a
            place that cannot be written to.
    """
    height, width = next(iter(pictures.sizes.values()))
    if height % codec.held.compression or width % codec.held.compression:
        raise UserError(f'{pictures.root}: its pictures are {width}x{height}, the codec needs multiples of '
                        f'{codec.held.compression}; pack the set with another --crop')
    details = {**codec_details(codec), 'pictures': pictures_digest(pictures)}
    expected = Manifest(pictures.manifest.set, VERSION, 0, LatentSource.encoding, details)
    if out.exists():
        _require_same(out, expected)
        return False
    codec.to(device)
    with LmdbWriter(out, expected.set, VERSION, encoding=expected.encoding, fingerprint=str(batch_size),
                    details=details) as writer:
        done = len(writer.written)
        progress('encoded', done, len(pictures.sizes))
        for keys, latents in _encode(codec, _Batches(pictures, batch_size, writer.written), device, workers):
            for key, latent in zip(keys, latents, strict=True):
                if key not in writer.written:
                    writer.put_encoded(key, encode_latent(latent))
                    done += 1
            progress('encoded', done, len(pictures.sizes))
    return True


class _Batches(Dataset):
    """The pictures in batches of fixed keys, less those batches that are written."""

    def __init__(self, pictures: LmdbSource, size: int, written: frozenset[str]) -> None:
        keys = list(pictures.sizes)
        batches = [keys[start:start + size] for start in range(0, len(keys), size)]
        self.pictures, self.batches = pictures, [batch for batch in batches if not written.issuperset(batch)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[list[str], torch.Tensor]:
        keys = self.batches[index]
        return keys, torch.from_numpy(np.stack([self.pictures.read(key) for key in keys])).permute(0, 3, 1, 2).contiguous()


@torch.inference_mode()
def _encode(codec: Frozen, batches: _Batches, device: torch.device, workers: int) -> Iterator[tuple[list[str], np.ndarray]]:
    for keys, pictures in DataLoader(batches, batch_size=None, num_workers=workers):
        latents = codec.held.encode(pictures.to(device).float().div_(255)).cpu().numpy()
        if not (np.abs(latents) <= np.finfo(np.float16).max).all():
            raise UserError(f'{batches.pictures.root}: the latent of one of {", ".join(keys)} is not a number of float16')
        yield keys, latents


def _require_same(out: Path, expected: Manifest) -> None:
    found = read_manifest(out)
    if found is None:
        raise UserError(f'{out}: is there already and is no packed set of ours; give another dataroot_latent')
    differences = manifest_differences(_of_any_place(found), _of_any_place(expected))
    if differences:
        raise UserError(f'{out}: is there already and differs ({differences}); delete it, or give another dataroot_latent')


def _of_any_place(manifest: Manifest) -> Manifest:
    return replace(manifest, details={key: value for key, value in manifest.details.items() if key != 'codec'})


def check_latents(codec: Frozen, datasets: Mapping[str, Any], name: str = 'datasets') -> None:
    """Compare a network's codec with that of all latents under `datasets` in the option file; its weights may have moved.

    Raises:
        UserError: another codec made them; names both.
    """
    own = codec_details(codec)
    for key, value in datasets.items():
        if isinstance(value, Mapping):
            check_latents(codec, value, f'{name}:{key}')
        elif key == 'dataroot_latent' and value is not None:
            theirs = LatentSource(value).manifest.details
            differing = [what for what in own if what != 'codec' and theirs.get(what) != own[what]]
            if differing:
                what = differing[0]
                raise UserError(f"{name}:{key}: '{value}' was made with codec '{theirs.get('codec')}' ({what} "
                                f"{theirs.get(what)}), the network's is '{own['codec']}' ({what} {own[what]}); {MAKE_AGAIN}")
