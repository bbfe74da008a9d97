"""``load_pretrained``: a model's parameters, spec and class from its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from rebasin_fast import _arguments
from rebasin_fast._pretrained.card import model_card
from rebasin_fast._pretrained.configuration import Configuration, configuration_beside
from rebasin_fast._pretrained.fitting import Fit, fit
from rebasin_fast._pretrained.form import ClassParams
from rebasin_fast._pretrained.hub import resolved
from rebasin_fast._pretrained.libraries import built, with_one_result
from rebasin_fast._pretrained.proof import proven_spec
from rebasin_fast._untrusted import brief
from rebasin_fast.errors import FileFormatError
from rebasin_fast.files import LoadedParams, load_params, save_params
from rebasin_fast.specs.tracing import TracedSpec
from rebasin_fast.typing import Params


class PretrainedModel:
    """A model in a folder of transformers or diffusers, whose class its ``config.json`` names.

    Attributes
    ----------
    path : Path
        The folder, or the snapshot in the cache.
    params : Mapping[str, array]
        Under the names of the class, in its shapes; read on access. These may differ from those of the file: experts
        that it holds one by one are one array here.
    file : LoadedParams
        The same as the file has them.
    """

    def __init__(self, path: Path, file: LoadedParams, configuration: Configuration) -> None:
        self.path = path
        self.file = file
        self._configuration = configuration
        self.params = ClassParams(file, self._fit.pieces, self._fit.shapes)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {str(self.path)!r}: {self._fit.cls.__name__}, {len(self.params)} arrays>"
        )

    @property
    def library(self) -> str:
        """The library of its class: "transformers" or "diffusers"."""
        return self._configuration.library

    @property
    def spec(self) -> TracedSpec:
        """Which permutation moves which axis: traced from the class, and proven on a copy with random weights."""
        return self._proven[0]

    @property
    def statement(self) -> str:
        """The class that the spec was traced from, and how it was proven, in one line."""
        return self._proven[1]

    def build(self) -> Any:
        """A torch model of the class, with random weights, that returns one tensor: its logits, or its first output.

        Of a language model these are (batch, vocabulary, positions), as cross-entropy takes them.
        """
        return with_one_result(built(self._fit.cls, self._configuration, self._configuration.fields, None))

    @_arguments.checked()
    def save(
        self,
        path: str | os.PathLike[str],
        params: Params,
        *,
        made_of: Sequence[str | os.PathLike[str]] = (),
        method: str = "",
        overwrite: bool = False,
    ) -> None:
        """Write ``params`` as a folder of this model's form, which ``from_pretrained`` loads.

        Parameters
        ----------
        path : path
            A folder.
        params : Mapping[str, array]
            Under the names of ``self.params``.
        made_of : sequence of path
            The models that it was made of, for the model card; this one by default.
        method : str
            A line of the card: how they were put together.
        overwrite : bool
            Replace an existing output.

        Raises
        ------
        OutputExistsError
            The folder has weights, and ``overwrite`` is false.
        """
        if not isinstance(made_of, tuple | list):
            raise TypeError(f"made_of is a tuple of paths, got {brief(made_of)}")
        models = [_arguments.path("an entry of made_of", model) for model in made_of] or [self.path]
        card = model_card(
            "Merged model" if len(models) > 1 else "Permuted model",
            models,
            {"method": method or "not stated", "spec": self.statement},
            library=self.library,
            tags=["merge"] if len(models) > 1 else [],
        )
        save_params(path, self.params.restored(params), like=self.file, card=card, overwrite=overwrite)

    @cached_property
    def _fit(self) -> Fit:
        return fit(self.file, self._configuration)

    @cached_property
    def _proven(self) -> tuple[TracedSpec, str]:
        return proven_spec(self._fit, self._configuration)


@_arguments.checked()
def load_pretrained(path: str | os.PathLike[str]) -> PretrainedModel:
    """Open a folder of transformers or diffusers: its parameters, and the spec of its class.

    Parameters
    ----------
    path : path
        A folder with ``config.json`` and weights; or ``owner/name`` (``owner/name@revision``, ``owner/name/unet``) in
        the local cache of the Hugging Face Hub. Nothing is downloaded.

    Returns
    -------
    PretrainedModel
        ``params`` (read on access), ``spec`` (derived on first use), ``save``.

    Raises
    ------
    MissingFileError
        There is no such folder, and no such repository in the cache.
    FileFormatError
        ``config.json`` is missing, names code of its own (``auto_map``), quantised weights, or another model than that
        of the weights; the weights are damaged.
    SpecError
        The installed library has no such class.
    MissingDependencyError
        torch, or the library of the class, is not installed.

    Notes
    -----
    The class is built from ``config.json`` on the meta device: its weights take no memory, and a configuration that
    describes more numbers than the file holds is refused while it is built. No code of the folder is run, and pickles
    are read as data. The spec preserves the outputs that the class is used for (``logits``, ``*_embeds``, ``sample``),
    or all of them where it has none of these: the states of an encoder, returned beside logits, may change order.

    Examples
    --------
    >>> import rebasin_fast as rf
    >>> rf.load_pretrained("no/such-model")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    rebasin_fast.files.errors.MissingFileError: ...
    """
    place = resolved(_arguments.path("path", path))
    file = load_params(place)
    configuration = configuration_beside(file)
    if configuration is None:
        raise FileFormatError(
            f"{place} has no config.json that names a class of transformers (model_type) or diffusers (_class_name). "
            "For parameters alone: load_params, and specs.for_params or trace_spec"
        )
    return PretrainedModel(place, file, configuration)
