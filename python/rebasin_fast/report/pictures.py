"""Pictures of matrices as data URIs whose zero is transparent, so that they suit light and dark pages."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

# Blue above zero and orange below: distinct in every kind of colour vision, legible on white and on black.
POSITIVE = (30, 120, 220)
NEGATIVE = (230, 110, 20)
_STEPS = 24  # shades on either side of zero: more cost bytes and are indistinguishable


def heat_map(values: NDArray[np.float64], limit: float) -> str:
    """``values`` as an indexed PNG, one pixel an entry; ``limit`` and beyond is opaque.

    Parameters
    ----------
    values : (rows, columns) float64 array
    limit : float
        The magnitude of full colour; 0 makes everything transparent.

    Returns
    -------
    str
        ``data:image/png;base64,…``
    """
    from PIL import Image

    scaled = values / limit if limit > 0.0 else np.zeros_like(values)
    shades = range(-_STEPS, _STEPS + 1)
    image = Image.fromarray((np.clip(np.rint(scaled * _STEPS), -_STEPS, _STEPS) + _STEPS).astype(np.uint8))
    image.putpalette(b"".join(bytes(POSITIVE if shade > 0 else NEGATIVE) for shade in shades))
    alpha = bytes(round(255 * abs(shade) / _STEPS) for shade in shades)
    file = BytesIO()
    image.save(file, "PNG", transparency=alpha, optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"


def colour_scale(limit: float) -> str:
    """The colours from ``-limit`` to ``limit`` as a picture of one row."""
    return heat_map(np.linspace(-limit, limit, 97)[None, :], limit)
