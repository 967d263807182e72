"""`glowdeblur embed`: text embeddings of packed captions."""

import argparse

from glowdeblur_plugin.commands.arguments import add_batches, packed_set, read_shard


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('embed', help='encode packed captions with a text encoder',
                                 description='Write <split>_embedding.lmdb beside packed captions. A run that is interrupted '
                                             'goes on when it is started again.')
    parser.add_argument('set', type=packed_set, help='packed captions, <split>_caption.lmdb')
    parser.add_argument('--model', required=True,
                        help="transformers folder or hub id of the backbone's text encoder; SANA's is Gemma-2-2b-it")
    parser.add_argument('--length', type=int, default=300, help='tokens of an embedding at most (default: 300)')
    parser.add_argument('--instruction', default='none', metavar='FILE',
                        help='text that is put before each caption and not kept (default: none)')
    parser.add_argument('--out', type=packed_set, help='where they go (default: <split>_embedding.lmdb beside the captions)')
    add_batches(parser, 'captions that are encoded', 8)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.diffusion.text_encoder import read_instruction
    from glowdeblur_plugin.guidance.embedding_set import embed_captions

    shard = read_shard(options, length=options.length)
    instruction = read_instruction('--instruction', None if options.instruction == 'none' else options.instruction)
    out, now = embed_captions(options.set, options.model, options.length, instruction, options.batch, options.out, shard,
                              ProgressLine())
    print(f'{out}: {"embedded" if now else "is embedded already"}')
