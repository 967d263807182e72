"""Captions of a packed set's pictures, packed beside them."""

from collections.abc import Sequence
from pathlib import Path

from glowdeblur_plugin.data.encodings import EncodedPicture
from glowdeblur_plugin.data.lmdb_store import Manifest
from glowdeblur_plugin.data.packers.copy_records import require_manifest
from glowdeblur_plugin.data.packers.settings import Shard
from glowdeblur_plugin.data.picture_source import LmdbSource
from glowdeblur_plugin.data.progress import Progress, silent
from glowdeblur_plugin.data.side_data import Caption, CaptionOrigin, encode_caption, split_and_side
from glowdeblur_plugin.data.side_sets import write_side_set
from glowdeblur_plugin.diffusion.pretrained import weights_reference
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.guidance.captioner import Captioner

SIDES: dict[str, CaptionOrigin] = {'lq': 'blurry', 'gt': 'sharp'}
VERSION = 1


def caption_side(root: Path, side: CaptionOrigin | None) -> tuple[CaptionOrigin, Path]:
    """Which side of the pairs the packed set `root` is, and where its captions go.

    The name says it: `<split>_lq.lmdb` is blurry, `<split>_gt.lmdb` sharp, and `<split>_caption.lmdb` is made beside them. Of
    another name `side` says it, and the captions are `<name>_caption.lmdb`.

    Raises:
        UserError: neither says it, or they disagree.
    """
    split, ending = split_and_side(root)
    named = SIDES.get(ending)
    if named is None and side is None:
        raise UserError(f'--side: the name {root.name} does not say whether these pictures are blurry (_lq) or sharp (_gt); '
                        'give --side blurry or --side sharp')
    if None not in (named, side) and named != side:
        raise UserError(f'--side: {side}, but the name {root.name} says that these pictures are {named}; leave --side out, or '
                        'rename the set')
    return side or named, root.with_name(f'{split if named else root.stem}_caption.lmdb')


def caption_set(root: Path, model: str, prompt: str, max_tokens: int, batch: int, side: CaptionOrigin | None = None,
                out: Path | None = None, shard: Shard | None = None, progress: Progress = silent) -> tuple[Path, bool]:
    """Caption every picture of the packed set `root`.

    Args:
        model: transformers folder or hub id of an image-text model, see `Captioner`.
        batch: pictures that the model sees at once.
        side: which side of the pairs they are, see `caption_side`.
        out: the captions' set; by default beside `root`.
        shard: the share that this process makes, see `write_side_set`.

    Returns:
        The captions' set, and whether it was written now.

    Raises:
        UserError: no packed set of pictures, an unclear side, no such model, a damaged picture; see also `write_side_set`.
    """
    found = require_manifest(root)
    origin, beside = caption_side(root, side)
    source = LmdbSource(root)
    captioner = Captioner.from_pretrained('--model', model, prompt, max_tokens)
    reference = weights_reference(model)
    details = {'of': root.name, 'origin': origin, 'captioner': reference.source, 'captioner_sha256': reference.sha256,
               'prompt': prompt, 'max_tokens': max_tokens}

    def make(keys: Sequence[str]) -> list[EncodedPicture]:
        texts = captioner.describe([source.read(key) for key in keys])
        return [encode_caption(Caption(text, origin)) for text in texts]

    manifest = Manifest(found.set, VERSION, 0, 'caption', details)
    return write_side_set(out or beside, manifest, root, list(source.sizes), batch, make, shard, progress)
