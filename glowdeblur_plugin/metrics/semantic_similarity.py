"""Similarity in structure and meaning to the sharp picture: the angle between features of a vision model of transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from glowdeblur_plugin.metrics.measure import MetricUnavailable

REFUSED = (OSError, ValueError, RuntimeError, KeyError, ImportError)


class FeatureSimilarity:
    """Cosine of the pooled features of the restored and the sharp picture: DINOv2's class token, CLIP's image embedding (the
    measures DINO and CLIP-I of Ruiz et al., CVPR 2023). The model's own processor scales and crops the pictures, so neither
    sees fine detail nor, of a wide picture, the sides.

    Args:
        name: of the metric; starts errors.
        model: folder or hub id.
        download: let transformers fetch the model.

    Raises:
        MetricUnavailable: transformers or the model is missing.
    """

    def __init__(self, name: str, model: str, device: torch.device, download: bool) -> None:
        self._device = device
        self._processor, self._model = _load(name, model, download)
        self._model = self._model.eval().requires_grad_(False).to(device)

    def __call__(self, restored: np.ndarray, sharp: np.ndarray) -> float:
        """The similarity, -1 to 1, of two pictures, float64 RGB (H, W, 3) in [0, 1]."""
        first, second = map(self._features, (restored, sharp))
        return float(torch.nn.functional.cosine_similarity(first, second, dim=-1))

    @torch.no_grad()
    def _features(self, picture: np.ndarray) -> torch.Tensor:
        values = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))
        pixels = self._processor(images=values, do_rescale=False, return_tensors='pt')['pixel_values'].to(self._device)
        if hasattr(self._model, 'get_image_features'):
            return self._model.get_image_features(pixel_values=pixels).pooler_output[0].double()
        return self._model(pixel_values=pixels).pooler_output[0].double()


def _load(name: str, model: str, download: bool) -> tuple[Any, Any]:
    """The image processor and the model."""
    try:
        from transformers import AutoImageProcessor, AutoModel
    except ImportError as error:
        raise MetricUnavailable(f'{name}: needs transformers ({error}); pip install "glowdeblur_plugin[semantic]"') from error
    try:
        processor = AutoImageProcessor.from_pretrained(model, local_files_only=not download)
        network, info = AutoModel.from_pretrained(model, local_files_only=not download, use_safetensors=True,
                                                  output_loading_info=True)
    except REFUSED as error:
        why = f' ({" ".join(str(error).split())[:200]})' if download or Path(model).is_dir() else ''
        raise MetricUnavailable(f"{name}: no model in '{model}' on this machine{why}; set model: to the folder of one, get it "
                                f'with `hf download {model}`, or set download: true') from error
    if info['missing_keys']:
        raise MetricUnavailable(f"{name}: the weights in '{model}' are not those of its config: {len(info['missing_keys'])} "
                                f'missing, such as {sorted(info["missing_keys"])[0]}')
    return processor, network
