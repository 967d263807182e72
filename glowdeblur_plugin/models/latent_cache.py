"""Encoding the sharp pictures of a packed set once, into a packed set of latents beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glowdeblur_plugin.data.encodings import EncodedPicture
from glowdeblur_plugin.data.lmdb_store import Manifest, read_manifest
from glowdeblur_plugin.data.lmdb_writer import LmdbWriter
from glowdeblur_plugin.data.packers.published import manifest_differences
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.sample_latents import MAKE_AGAIN, pictures_digest
from glowdeblur_plugin.data.side_data import LatentSource, encode_latent
from glowdeblur_plugin.data.side_sets import write_batches
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


def write_latents(codec: Frozen, pictures: LmdbSource, out: Path, device: torch.device, batch_size: int,
                  progress: Progress = silent) -> bool:
    """Write the latents of all `pictures`, which are of one size, to the packed set `out`, under the same keys.

    Interrupted work goes on where it was. Each picture is encoded among the same others whenever the work was interrupted, in
    float32, so that the set does not depend on it.

    Args:
        batch_size: pictures that are encoded at once.

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

    def make(keys: Sequence[str]) -> list[EncodedPicture]:
        batch = torch.from_numpy(np.stack([pictures.read(key) for key in keys])).to(device).permute(0, 3, 1, 2)
        latents = codec.held.encode(batch.float().div_(255)).cpu().numpy()
        if not (np.abs(latents) <= np.finfo(np.float16).max).all():
            raise UserError(f'{pictures.root}: the latent of one of {", ".join(keys)} is not a number of float16')
        return [encode_latent(latent) for latent in latents]

    with torch.inference_mode(), LmdbWriter(out, expected.set, VERSION, encoding=expected.encoding,
                                            fingerprint=str(batch_size), details=details) as writer:
        write_batches(writer, list(pictures.sizes), batch_size, make, progress)
    return True


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
