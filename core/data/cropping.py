"""Cuts a part out of a picture's file, in the file's own format and quality where it has one."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from core.data.decode import UNREADABLE, open_picture, turned

Shares = tuple[float, float, float, float]  # left, top, right, bottom of the edges
_ORIENTATION = 0x0112
# Pillow writes these as they are read; all others become PNG, which loses nothing.
_WRITTEN = {"JPEG": {}, "PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def cut(source: Path, inside: Shares, folder: Path, name: str) -> Path:
    """Write what is `inside` of a picture as it is seen; returns the file `name`.* in `folder`.

    A JPEG is written with its own tables, so that it is as good and as large as before; colour
    profile, resolution and EXIF stay, the turn is carried out.

    Raises:
        OSError: The picture cannot be read or the file not written.
    """
    try:
        with open_picture(source) as image:
            return _cut(image, source, inside, folder, name)
    except OSError:
        raise
    except UNREADABLE as error:
        raise OSError(str(error)) from error


def _cut(image: Image.Image, source: Path, inside: Shares, folder: Path, name: str) -> Path:
    own = image.format if image.format in _WRITTEN and getattr(image, "n_frames", 1) == 1 else None
    options: dict[str, object] = dict(_WRITTEN[own]) if own else {}
    if own == "JPEG" and (tables := getattr(image, "quantization", None)):
        from PIL import JpegImagePlugin  # by now it is loaded; not while the window starts

        options |= {"qtables": tables, "subsampling": JpegImagePlugin.get_sampling(image)}
    seen = turned(image)
    exif = image.getexif()  # the picture's own: not before it was turned
    if own not in (None, "TIFF") and len(exif):  # a TIFF's say where its pixels lay
        exif[_ORIENTATION] = 1
        options["exif"] = exif.tobytes()
    options |= {key: image.info[key] for key in ("icc_profile", "dpi") if image.info.get(key)}
    left, top, right, bottom = inside
    box = (
        round(left * seen.width),
        round(top * seen.height),
        round(right * seen.width),
        round(bottom * seen.height),
    )
    part = seen.crop(box)
    target = folder / f"{name}{source.suffix if own else '.png'}"
    part.save(target, own or "PNG", **options)
    return target
