"""Tiny random models of the classes that caption pictures and encode texts, with tokenizers of single bytes; transformers is
needed."""

from pathlib import Path
from typing import Any

import torch

GEMMA_CHANNELS = 32
CHAT = ("{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
QWEN_TOKENS = ('<pad>', '<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|vision_end|>', '<|image_pad|>', '<|video_pad|>')


def tiny_tokenizer(*special: str, form: str = '$A', **named: str) -> Any:
    """One token a byte and one for each of `special`; `form` says which of these a text is put between, such as `<bos> $A`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    around = [(token, tokens.index(token)) for token in special if token in form.split()]
    tokenizer.post_processor = processors.TemplateProcessing(single=form, special_tokens=around)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def tiny_gemma(folder: Path, seed: int = 0, channels: int = GEMMA_CHANNELS, separate: bool = False,
               dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """A Gemma 2 of two layers and its tokenizer, in `folder`: as transformers saves a causal language model or, `separate`, as
    in a pipeline of diffusers, the decoder in `text_encoder` and its tokenizer in `tokenizer`."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    tokenizer = tiny_tokenizer('<pad>', '<eos>', '<bos>', form='<bos> $A', pad_token='<pad>', eos_token='<eos>',
                               bos_token='<bos>')
    config = Gemma2Config(vocab_size=len(tokenizer), hidden_size=channels, intermediate_size=32, num_hidden_layers=2,
                          num_attention_heads=2, num_key_value_heads=1, head_dim=8, query_pre_attn_scalar=8, sliding_window=16)
    model = _random(Gemma2ForCausalLM(config), seed).to(dtype)
    places = (folder / 'text_encoder', folder / 'tokenizer') if separate else (folder, folder)
    (model.model if separate else model).save_pretrained(places[0])
    tokenizer.save_pretrained(places[1])
    return model.model, tokenizer


def tiny_qwen(folder: Path, seed: int = 0) -> None:
    """A Qwen2.5-VL of two layers with its processor, in `folder`."""
    from transformers import (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor, Qwen2VLImageProcessor,
                              Qwen2VLVideoProcessor)

    tokenizer = tiny_tokenizer(*QWEN_TOKENS, pad_token='<pad>', eos_token='<|im_end|>')
    of = QWEN_TOKENS.index
    text = dict(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=2, bos_token_id=None, eos_token_id=of('<|im_end|>'), pad_token_id=of('<pad>'),
                rope_parameters={'rope_type': 'default', 'mrope_section': [2, 3, 3], 'rope_theta': 1e4})
    vision = dict(depth=2, hidden_size=16, intermediate_size=16, num_heads=2, out_hidden_size=32, patch_size=14,
                  spatial_merge_size=2, temporal_patch_size=2, window_size=28, fullatt_block_indexes=[1])
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=of('<|image_pad|>'),
                              video_token_id=of('<|video_pad|>'), vision_start_token_id=of('<|vision_start|>'),
                              vision_end_token_id=of('<|vision_end|>'))
    _random(Qwen2_5_VLForConditionalGeneration(config), seed).save_pretrained(folder)
    pictures = Qwen2VLImageProcessor(min_pixels=4 * 28**2, max_pixels=16 * 28**2)
    Qwen2_5_VLProcessor(pictures, tokenizer, Qwen2VLVideoProcessor(), chat_template=CHAT).save_pretrained(folder)


def tiny_blip(folder: Path, seed: int = 0) -> None:
    """A BLIP of two layers, whose processor has no chat template and which goes on from the prompt, in `folder`."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    special = {'pad_token': '[PAD]', 'cls_token': '[CLS]', 'sep_token': '[SEP]', 'bos_token': '[DEC]', 'eos_token': '[SEP]'}
    names = sorted(set(special.values()))
    tokenizer = tiny_tokenizer(*names, form='[CLS] $A [SEP]', **special)
    numbers = {f'{key}_id': names.index(token) for key, token in special.items() if key != 'cls_token'}
    shape = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    config = BlipConfig(text_config=dict(**shape, **numbers, vocab_size=len(tokenizer), encoder_hidden_size=32),
                        vision_config=dict(**shape, image_size=32, patch_size=16))
    _random(BlipForConditionalGeneration(config), seed).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size={'height': 32, 'width': 32}), tokenizer).save_pretrained(folder)


def _random(model: Any, seed: int) -> Any:
    """All matrices drawn so large that the input is seen in the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3, generator=generator)
    return model.eval()
