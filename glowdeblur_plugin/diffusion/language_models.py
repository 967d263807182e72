"""Models of transformers, which is an optional package."""

from types import ModuleType
from typing import Any

from safetensors import SafetensorError

from glowdeblur_plugin.diffusion.pretrained import shapes_only, split_source, why_refused
from glowdeblur_plugin.errors import UserError

REFUSED = (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError)


def require_transformers(option: str) -> ModuleType:
    """The package transformers.

    Raises:
        UserError: it is not installed; starts with `option` and names the extra.
    """
    try:
        import transformers
    except ImportError:
        raise UserError(f'{option}: needs the package transformers; install it with pip install '
                        '"glowdeblur_plugin[semantic]"') from None
    return transformers


def load_language_model(option: str, kind: str, source: str) -> Any:
    """A model of transformers' auto class `kind`, in eval mode, from safetensors alone, in the precision of its files.

    Under `torch.device('meta')` only the config is read, if it is on this machine, and the model has shapes without values.

    Args:
        option: the option that named it; starts the error.
        source: folder or hub id, see `split_source`.

    Raises:
        UserError: no such model is there, weights are missing (transformers alone would leave them at random), or transformers
            is.
    """
    if shapes_only():
        config = _load(option, 'AutoConfig', source, local_files_only=True)
        return getattr(require_transformers(option), kind).from_config(config).eval()
    model, info = _load(option, kind, source, use_safetensors=True, dtype='auto', output_loading_info=True)
    missing = sorted(info['missing_keys'])
    if missing:
        raise UserError(f'{option}: the weights in {source!r} are not those of its config: {len(missing)} missing, such as '
                        f'{missing[0]}')
    return model.eval()


def load_processor(option: str, kind: str, source: str, model: Any) -> Any:
    """The tokenizer or processor of `model`, of transformers' auto class `kind`; the model's config need not lie beside it.

    Raises:
        UserError: none is there (transformers alone would make one without words), or transformers is missing.
    """
    processor = _load(option, kind, source, config=model.config)
    words, known = len(getattr(processor, 'tokenizer', processor)), model.config.get_text_config().vocab_size
    if 2 * words < known:
        raise UserError(f'{option}: no tokenizer of this model in {source!r}: it has {words} tokens, the model {known}')
    return processor


def _load(option: str, kind: str, source: str, **settings: Any) -> Any:
    transformers = require_transformers(option)
    place, subfolder = split_source(source)
    try:
        return getattr(transformers, kind).from_pretrained(place, **settings, **({'subfolder': subfolder} if subfolder else {}))
    except REFUSED as error:
        raise UserError(f'{option}: no {kind.removeprefix("Auto")} in {source!r}: {why_refused(source, error)}') from error
