"""Colour profiles made by hand, and what their colours are in sRGB, without any colour library."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

Numbers = np.ndarray
D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
# Of cone responses (Bradford), by which ICC turns white D65 into its D50.
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def srgb_to_linear(v: Numbers) -> Numbers:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(v: Numbers) -> Numbers:
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


@dataclass(frozen=True)
class Space:
    """Colours by primaries (x, y of red, green, blue), a white, and a gamma; 0 is sRGB's curve."""

    primaries: tuple[tuple[float, float], ...]
    white: Numbers
    gamma: float

    def to_xyz(self) -> Numbers:
        """Linear RGB to XYZ under D50."""
        columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in self.primaries]).T
        own = columns * np.linalg.solve(columns, self.white)
        cones = np.diag((_CONES @ D50) / (_CONES @ self.white))
        return np.linalg.inv(_CONES) @ cones @ _CONES @ own

    def decode(self, v: Numbers) -> Numbers:
        return v**self.gamma if self.gamma else srgb_to_linear(v)

    def encode(self, v: Numbers) -> Numbers:
        v = np.clip(v, 0, 1)
        return v ** (1 / self.gamma) if self.gamma else srgb_from_linear(v)


SRGB = Space(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), D65, 0)
SPACES = {
    "Adobe RGB": Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, 563 / 256),
    "Display P3": Space(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), D65, 0),
    "ProPhoto": Space(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, 1.8),
}


def in_srgb(values: Numbers, space: Space) -> Numbers:
    """8-bit values of `space` as exact values of sRGB, 0 to 255."""
    linear = space.decode(values / 255) @ space.to_xyz().T @ np.linalg.inv(SRGB.to_xyz()).T
    return srgb_from_linear(linear) * 255


def from_srgb(values: Numbers, space: Space) -> Numbers:
    """The other way, rounded to 8 bits."""
    linear = srgb_to_linear(values / 255) @ SRGB.to_xyz().T @ np.linalg.inv(space.to_xyz()).T
    return np.round(space.encode(linear) * 255).astype(np.uint8)


def rgb_profile(space: Space) -> bytes:
    matrix = space.to_xyz()
    curve = _curve(space)
    tags = {
        **{f"{c}XYZ".encode(): _xyz(matrix[:, i]) for i, c in enumerate("rgb")},
        **{f"{c}TRC".encode(): curve for c in "rgb"},
    }
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _curve(Space((), D50, gamma))})


# What cyan, magenta, yellow and black leave of red, green and blue light, about as real ink does.
INKS = np.array([[0, 0.42, 0.86], [0.84, 0, 0.26], [1, 0.89, 0], [0, 0, 0]])


def cmyk_profile(darkest: float = 0.0) -> bytes:
    """Each ink takes away its share of what the others leave; `darkest` is always given back."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), -1).reshape(-1, 4)
    light = np.clip(np.prod(1 - corners[..., None] * (1 - INKS), axis=1), darkest, 1)
    lab = _lab(light @ SRGB.to_xyz().T)
    packed = np.stack(
        [lab[:, 0] / 100 * 65280, *((lab[:, i] + 128) / 255 * 65280 for i in (1, 2))], -1
    )
    numbers = np.round(packed).clip(0, 65535).astype(">u2").tobytes()
    ramp = struct.pack(">2H", 0, 65535)
    table = b"mft2" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    table += struct.pack(">2H", 2, 2) + ramp * 4 + numbers + ramp * 3
    return _profile(b"CMYK", {b"A2B0": table, b"A2B1": table}, pcs=b"Lab ", kind=b"scnr")


def _lab(xyz: Numbers) -> Numbers:
    t = xyz / D50
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)


def _curve(space: Space) -> bytes:
    if space.gamma:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(space.gamma * 256)) + bytes(2)
    points = np.round(srgb_to_linear(np.linspace(0, 1, 1024)) * 65535).astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", 1024) + points


def _xyz(values: Numbers) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(v) * 65536) for v in values))


def _profile(
    space: bytes, tags: dict[bytes, bytes], *, pcs: bytes = b"XYZ ", kind: bytes = b"mntr"
) -> bytes:
    """An ICC profile of version 2."""
    text = b"text" + bytes(4) + b"made for a test\0"
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(4 + 4 + 2 + 1 + 67)
    tags = {b"desc": name, b"cprt": text, b"wtpt": _xyz(D50), **tags}
    place, entries, body = 128 + 4 + 12 * len(tags), b"", b""
    for signature, content in tags.items():
        entries += struct.pack(">4sII", signature, place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", place + len(body), bytes(4), 0x02400000, kind, space, pcs)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += struct.pack(">3i", *(round(float(v) * 65536) for v in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body
