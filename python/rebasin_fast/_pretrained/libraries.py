"""Model classes of transformers and diffusers: found by a configuration, built, and given inputs to run on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from rebasin_fast._models.inference import import_torch
from rebasin_fast._pretrained.budget import Budget, silent, within
from rebasin_fast._pretrained.configuration import Configuration, OtherModelError
from rebasin_fast.errors import MissingDependencyError, RebasinError, SpecError

# Where the class that ``architectures`` names lacks entries of the file, those that may have them.
_FURTHER = ("MODEL_FOR_PRETRAINING_MAPPING", "MODEL_MAPPING")
_TOKENS, _ROWS = 7, 2
# Outputs that a model is used for. Others of the same call, such as the states of an encoder, may move.
_RESULTS = ("logits", "_logits", "logits_per_image", "_embeds", "sample")


class UnknownInputsError(SpecError):
    """A class for which no inputs are made here."""


def is_installed(library: str) -> bool:
    """Whether PyTorch and ``library`` can be imported."""
    try:
        import_torch("a model")
        _imported(library)
    except MissingDependencyError:
        return False
    return True


def classes(configuration: Configuration) -> Iterator[Any]:
    """The classes that a configuration can mean, the one that it names first.

    Raises
    ------
    SpecError
        The installed library has no such class.
    """
    library = _imported(configuration.library)
    if configuration.library == "diffusers":
        yield _class(library, library.ModelMixin, configuration)
        return
    first = None
    if configuration.fields.get("architectures"):
        first = _class(library, library.PreTrainedModel, configuration)
        yield first
    kind = type(_settings(configuration.fields))
    auto = library.models.auto.modeling_auto
    for name in _FURTHER:
        found = getattr(auto, name).get(kind, None)
        for cls in found if isinstance(found, tuple) else (found,):
            if cls is not None and cls is not first:
                yield cls


def built(cls: Any, configuration: Configuration, fields: Mapping[str, Any], budget: Budget | None) -> Any:
    """A model of ``fields``: on the meta device under ``budget``, or, without one, of random numbers.

    Raises
    ------
    OtherModelError
        The library refuses the fields.
    FileFormatError
        The model is larger than ``budget``.
    MissingDependencyError
        The class needs a further package.
    """
    try:
        with within(budget, "cpu" if budget is None else "meta"):
            of_diffusers = configuration.library == "diffusers"
            model = cls.from_config(_plain(fields)) if of_diffusers else cls(_settings(fields))
            if hasattr(model, "tie_weights"):
                model.tie_weights()
    except (RebasinError, MemoryError):
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f"{configuration.path}: {cls.__name__} cannot be built: {error}"
        ) from None
    except Exception as error:  # checks of another library, on values of a stranger
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OtherModelError(
            f"{configuration.path}: {cls.__name__} cannot be built from it ({reason:.200}). Is it complete, and the "
            f"installed version of {configuration.library} recent enough?"
        ) from error
    return _for_use(model).eval()


def example_inputs(model: Any, device: str) -> dict[str, Any]:
    """Keyword arguments that ``model`` runs on, drawn from a fixed seed.

    Raises
    ------
    UnknownInputsError
        It takes something other than tokens, images and features of sound.
    """
    torch = import_torch("a model")
    generator = torch.Generator().manual_seed(0)
    config = model.config

    def tokens(limit: int) -> Any:
        drawn = torch.randint(0, min(limit, 1000), (_ROWS, _TOKENS), generator=generator)
        return drawn.to(device)

    def numbers(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator).to(device)

    if hasattr(model, "register_to_config"):
        return _of_diffusion(model, config, numbers, device)
    taken = inspect.signature(type(model).forward).parameters
    inputs: dict[str, Any] = {}
    text = getattr(config, "text_config", config)
    if "input_ids" in taken:
        inputs["input_ids"] = tokens(text.vocab_size)
        if "attention_mask" in taken:  # without it some look for packed sequences, which needs numbers
            inputs["attention_mask"] = torch.ones(_ROWS, _TOKENS, dtype=torch.long, device=device)
    images = getattr(config, "vision_config", config)
    merged = any(getattr(config, name, None) is not None for name in ("image_token_id", "image_token_index"))
    if "pixel_values" in taken and hasattr(images, "image_size") and not (merged and inputs):
        size = images.image_size
        height, width = size if isinstance(size, list | tuple) else (size, size)
        inputs["pixel_values"] = numbers(_ROWS, getattr(images, "num_channels", 3), height, width)
    if "input_features" in taken and hasattr(config, "num_mel_bins") and not inputs:
        inputs["input_features"] = numbers(_ROWS, config.num_mel_bins, 2 * config.max_source_positions)
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
        inputs["decoder_input_ids"] = tokens(text.vocab_size)
    if not inputs:
        raise UnknownInputsError(
            f"{type(model).__name__} takes {', '.join(list(taken)[1:4])}; no inputs are made for it here. Give them "
            "with --trace module:factory (trace_spec in Python)"
        )
    return inputs


def _of_diffusion(model: Any, config: Any, numbers: Any, device: str) -> dict[str, Any]:
    import torch

    if type(model).__name__ != "UNet2DConditionModel":
        raise UnknownInputsError(
            f"no inputs are made here for {type(model).__name__} of diffusers (for UNet2DConditionModel they are). "
            "Give them with --trace module:factory (trace_spec in Python)"
        )
    size = config.sample_size or 8
    height, width = size if isinstance(size, list | tuple) else (size, size)
    across = config.cross_attention_dim
    inputs = {
        "sample": numbers(1, config.in_channels, height, width),
        "timestep": torch.tensor([7], device=device),
        "encoder_hidden_states": numbers(1, 5, across[0] if isinstance(across, list | tuple) else across),
    }
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs["added_cond_kwargs"] = {"text_embeds": numbers(1, pooled), "time_ids": numbers(1, 6)}
    return inputs


def _imported(library: str) -> Any:
    import_torch("a model of config.json")
    try:
        with silent():
            module = __import__(library)
            # Both load their parts on first use, and what is missing shows there.
            _ = module.ModelMixin if library == "diffusers" else module.PreTrainedModel
    except (ImportError, RuntimeError) as error:
        raise MissingDependencyError(
            f"the class of this model is in {library}, which cannot be imported ({str(error)[:200]}). Install it: "
            f"pip install {library}"
        ) from None
    return module


def _class(library: Any, root: Any, configuration: Configuration) -> Any:
    name = configuration.architecture
    with silent():
        try:
            found = getattr(library, name, None) if name.isidentifier() else None
        except ImportError as error:
            raise MissingDependencyError(
                f"{configuration.path}: {name} cannot be imported: {error}"
            ) from None
    if not (inspect.isclass(found) and issubclass(found, root)):
        raise SpecError(
            f"{configuration.path}: {configuration.library} {library.__version__} has no model {name!r:.100}. Install "
            "a later version, or give the spec: --spec FILE, or --trace module:factory"
        )
    return found


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without private ones, which choose implementations, name other repositories, or load more weights."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith("_") or name in ("attn_implementation", "use_kernels", "experts_implementation"):
            continue
        if name in ("use_pretrained_backbone", "use_cache"):
            kept[name] = False
        else:
            kept[name] = _plain(value) if isinstance(value, Mapping) else value
    return kept


def _settings(fields: Mapping[str, Any]) -> Any:
    """The configuration object of transformers, without a cache and with attention written out."""
    library = _imported("transformers")
    fields = _plain(fields)
    kind = fields.pop("model_type")
    try:
        cls = library.CONFIG_MAPPING[kind]
    except KeyError:
        raise SpecError(
            f"transformers {library.__version__} has no model of the type {kind!r:.100}. Install a later version, or "
            "give the spec: --spec FILE, or --trace module:factory"
        ) from None
    with silent():
        settings = cls.from_dict(fields)
    settings._attn_implementation = "eager"
    return settings


def _for_use(model: Any) -> Any:
    """``model`` without a cache of keys and values, which returns those of its outputs that it is used for."""
    for module in model.modules():
        if hasattr(getattr(module, "config", None), "use_cache"):
            module.config.use_cache = False
    cls = type(model)

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = cls.forward(self, *args, **kwargs)
        if not isinstance(found, Mapping):
            return found
        chosen = {name: value for name, value in found.items() if name.endswith(_RESULTS)}
        return chosen or found

    forward.__signature__ = inspect.signature(cls.forward)  # type: ignore[attr-defined]
    model.__class__ = type(cls.__name__, (cls,), {"forward": forward, "__module__": cls.__module__})
    return model


def with_one_result(model: Any) -> Any:
    """``model``, returning one tensor: its logits, those of tokens with the vocabulary on the second axis."""
    cls = type(model)

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = cls.forward(self, *args, **kwargs)
        if not isinstance(found, Mapping):
            return found[0] if isinstance(found, tuple | list) else found
        result = found.get("logits", next(iter(found.values())))
        of_tokens = "logits" in found and result.ndim == 3
        return result.movedim(-1, 1) if of_tokens else result

    model.__class__ = type(cls.__name__, (cls,), {"forward": forward, "__module__": cls.__module__})
    return model
