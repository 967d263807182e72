"""One sentence about a picture, by any image-text model of transformers."""

from typing import Any, Self

import numpy as np
import torch

from glowdeblur_plugin.diffusion.language_models import load_language_model, load_processor

PROMPT = ('Describe the scene in this photograph in one detailed English sentence of about thirty words: what there is, where, '
          'in which light and weather, and what lies behind it. Do not mention blur or the quality of the picture.')
MAX_TOKENS = 120


class Captioner:
    """Writes captions by greedy decoding, so that the same batch gets the same captions again.

    Args:
        model: an image-text model with `generate`, in eval mode (GLOWDeblur: Qwen2.5-VL).
        processor: its own, which turns messages or pictures and texts into its inputs.
        prompt: what the model is asked; ours says no more than the kind of caption that the paper's figure shows.
        max_tokens: tokens of a caption at most.
    """

    def __init__(self, model: Any, processor: Any, prompt: str = PROMPT, max_tokens: int = MAX_TOKENS) -> None:
        self._model, self._processor, self.prompt, self.max_tokens = model, processor, prompt, max_tokens
        tokenizer = processor.tokenizer
        tokenizer.padding_side = 'left'
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    @classmethod
    def from_pretrained(cls, option: str, source: str, prompt: str = PROMPT, max_tokens: int = MAX_TOKENS) -> Self:
        """Load from a transformers folder or hub id (safetensors only), in the precision of its files, onto a GPU where there
        is one.

        Raises:
            UserError: no image-text model or no processor is there, or transformers is missing; starts with `option`.
        """
        model = load_language_model(option, 'AutoModelForImageTextToText', source)
        processor = load_processor(option, 'AutoProcessor', source, model)
        return cls(model.to('cuda' if torch.cuda.is_available() else 'cpu'), processor, prompt, max_tokens)

    @torch.no_grad()
    def describe(self, pictures: list[np.ndarray]) -> list[str]:
        """One line about each picture, uint8 RGB (H, W, 3) of any sizes."""
        inputs = self._inputs(pictures).to(self._model.device, self._model.dtype)
        output = self._model.generate(**inputs, max_new_tokens=self.max_tokens, do_sample=False, num_beams=1, temperature=None,
                                      top_p=None, top_k=None)
        asked = inputs['input_ids']
        if torch.equal(output[:, :asked.shape[1]], asked):
            output = output[:, asked.shape[1]:]
        texts = self._processor.batch_decode(output, skip_special_tokens=True)
        return [self._without_prompt(' '.join(text.split())) for text in texts]

    def _inputs(self, pictures: list[np.ndarray]) -> Any:
        """By the chat template where the processor has one, else the prompt beside the picture."""
        from PIL import Image

        images, processor = [Image.fromarray(picture) for picture in pictures], self._processor
        settings = {'padding': True, 'return_tensors': 'pt'}
        if getattr(processor, 'chat_template', None) is None:
            return processor(images=images, text=[self.prompt] * len(images), **settings)
        message = {'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': self.prompt}]}
        text = processor.apply_chat_template([message], add_generation_prompt=True, tokenize=False)
        begins = processor.tokenizer.bos_token is not None and text.startswith(processor.tokenizer.bos_token)
        return processor(images=[[image] for image in images], text=[text] * len(images), add_special_tokens=not begins,
                         **settings)

    def _without_prompt(self, text: str) -> str:
        """Models without a chat template may go on from the prompt and give it back in their own spelling."""
        prompt = ' '.join(self.prompt.split())
        return text[len(prompt):].strip() if prompt and text.lower().startswith(prompt.lower()) else text
