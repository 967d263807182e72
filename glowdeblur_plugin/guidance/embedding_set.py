"""Text embeddings of packed captions, packed beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from glowdeblur_plugin.data.encodings import EncodedPicture
from glowdeblur_plugin.data.lmdb_store import Manifest
from glowdeblur_plugin.data.packers.copy_records import require_manifest
from glowdeblur_plugin.data.packers.settings import Shard
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import CaptionOrigin, CaptionSource, encode_embedding, split_and_side
from glowdeblur_plugin.data.side_sets import write_side_set
from glowdeblur_plugin.diffusion.text_encoder import TextEncoder, encoder_reference
from glowdeblur_plugin.errors import UserError

VERSION = 1


def embed_captions(root: Path, model: str, length: int, instruction: str, batch: int, out: Path | None = None,
                   shard: Shard | None = None, progress: Progress = silent) -> tuple[Path, bool]:
    """Encode every caption of the packed set `root`; only states that count are kept, and of an empty caption none.

    The manifest says which side the captions were written from (the sharp one if any of them was), which encoder made the
    embeddings, and of what length.

    Args:
        model: transformers folder or hub id of a text encoder, see `TextEncoder`.
        length: tokens of an embedding at most.
        instruction: what is put before each caption; the empty text for nothing.
        batch: captions that are encoded at once.
        out: the embeddings' set; by default `<split>_embedding.lmdb` beside `<split>_caption.lmdb`.
        shard: the share that this process makes, see `write_side_set`.

    Returns:
        The embeddings' set, and whether it was written now.

    Raises:
        UserError: no packed captions, no such encoder, states beyond float16; see also `write_side_set`.
    """
    source = CaptionSource(root)
    found = require_manifest(root)
    keys = sorted(source.sizes)
    encoder = TextEncoder.from_pretrained('--model', model, length, instruction)
    encoder.to('cuda' if torch.cuda.is_available() else 'cpu')
    reference = encoder_reference(model, instruction)
    details = {'of': root.name, 'origin': _origin(source, keys), 'encoder': reference.source,
               'encoder_sha256': reference.sha256, 'length': length, 'instruction': instruction}

    def make(some: Sequence[str]) -> list[EncodedPicture]:
        states, masks = encoder.encode([source.read(key).text for key in some])
        return [_record(row[mask].cpu().numpy(), f'{root}/{key}') for key, row, mask in zip(some, states, masks)]

    split, kind = split_and_side(root)
    beside = root.with_name(f'{split if kind == "caption" else root.stem}_embedding.lmdb')
    manifest = Manifest(found.set, VERSION, 0, 'embedding', details)
    return write_side_set(out or beside, manifest, root, keys, batch, make, shard, progress)


def _origin(source: CaptionSource, keys: list[str]) -> CaptionOrigin:
    return 'blurry' if all(source.read(key).origin == 'blurry' for key in keys) else 'sharp'


def _record(states: np.ndarray, name: str) -> EncodedPicture:
    largest = float(np.abs(states).max(initial=0))
    if not largest <= float(np.finfo(np.float16).max):
        raise UserError(f'{name}: its states reach {largest}, beyond float16, in which embeddings are kept; use another '
                        'encoder')
    return encode_embedding(states)
