"""`glowdeblur caption`: captions of a packed set's pictures."""

import argparse

from glowdeblur_plugin.commands.arguments import add_batches, packed_set, read_shard


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('caption', help='caption the pictures of a packed set with an image-text model',
                                 description='Write <split>_caption.lmdb beside a packed set. A run that is interrupted goes on '
                                             'when it is started again.')
    parser.add_argument('set', type=packed_set, help='packed pictures: <split>_lq.lmdb, blurry, or <split>_gt.lmdb, sharp')
    parser.add_argument('--model', required=True, help='transformers folder or hub id, such as Qwen/Qwen2.5-VL-7B-Instruct')
    parser.add_argument('--side', choices=('blurry', 'sharp'), help='which side of the pairs these are (default: by the name)')
    parser.add_argument('--prompt', help='what the model is asked (default: for one sentence about the scene)')
    parser.add_argument('--max-tokens', type=int, default=120, help='tokens of a caption at most (default: 120)')
    parser.add_argument('--out', type=packed_set, help='where the captions go (default: <split>_caption.lmdb beside the set)')
    add_batches(parser, 'pictures that the model sees', 1)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.guidance.caption_set import caption_set
    from glowdeblur_plugin.guidance.captioner import PROMPT

    shard = read_shard(options, max_tokens=options.max_tokens)
    out, now = caption_set(options.set, options.model, PROMPT if options.prompt is None else options.prompt, options.max_tokens,
                           options.batch, options.side, options.out, shard, ProgressLine())
    print(f'{out}: {"captioned" if now else "is captioned already"}')
