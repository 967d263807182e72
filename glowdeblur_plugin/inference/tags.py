"""EXIF tags: those that describe a photograph, without those that describe how a file holds it."""

from PIL import ExifTags, Image

from glowdeblur_plugin.data.decode import FIRST_TRANSPOSED_ORIENTATION, ORIENTATION_TAG

UPRIGHT = 1
SIZE_TAGS = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# Layout, compression and colour tables of a TIFF file, its colour profile, XMP (which repeats the orientation) and thumbnails.
LAYOUT_TAGS = {*range(254, 260), 262, 263, 264, 265, 266, 273, *range(277, 282), 284, *range(288, 294), 301, 317, 318, 319,
               *range(320, 326), 330, 332, 338, *range(339, 348), *range(512, 533), 700, 34675}


def kept_tags(tags: Image.Exif, file_format: str) -> bytes | None:
    """The tags as EXIF bytes for an upright picture: orientation 1, and width and height exchanged where it was on its side.

    Args:
        file_format: Pillow's name of the format; a TIFF file mixes these tags with those of its layout, which are left out.

    Returns:
        bytes that start with `Exif`, or None where nothing is left.
    """
    groups = {group: {tag: value for tag, value in tags.get_ifd(group).items() if tag != ExifTags.IFD.Interop}
              for group in GROUPS}
    inner = groups[ExifTags.IFD.Exif]
    if tags.get(ORIENTATION_TAG, UPRIGHT) >= FIRST_TRANSPOSED_ORIENTATION:
        sizes = [inner.get(tag) for tag in SIZE_TAGS]
        inner |= {tag: size for tag, size in zip(SIZE_TAGS, reversed(sizes)) if size is not None}
    kept = Image.Exif()
    left_out = {*GROUPS, *(LAYOUT_TAGS if file_format == 'TIFF' else ())}
    kept.update({tag: value for tag, value in tags.items() if tag not in left_out})
    kept.update({group: entries for group, entries in groups.items() if entries})
    if ORIENTATION_TAG in kept:
        kept[ORIENTATION_TAG] = UPRIGHT
    return kept.tobytes() if len(kept) else None
