"""Files with several pages: where image and mask have as many, each pair of pages is a sample of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.samples import Sample, Subset
from otx_seg.annotations.stored_masks import mask_size
from otx_seg.errors import DataError
from otx_seg.runtime.image_files import pages_of
from otx_seg.runtime.image_headers import open_header, read_bytes
from otx_seg.runtime.processors import processor_count
from otx_seg.words import count

_LARGE = 4_000_000  # pixels of a mask that is worth a look at its image first


def with_pages(subset: Subset) -> Subset:
    """The subset with a sample for each page: ``a.tif#1``, ``a.tif#2`` and so on.

    Raises:
        DataError: an image and its mask differ in their number of pages, or a file that describes objects has no pages.
    """
    samples: list[Sample] = []
    ignored = dict(subset.ignored_labels)
    for sample in subset.samples:
        pages = list(_pages(sample, isinstance(subset.mask_code, MaskCode)))
        if sample.name in ignored and len(pages) > 1:
            ignored.update(dict.fromkeys((page.name for page in pages), ignored.pop(sample.name)))
        samples += pages
    return replace(subset, samples=tuple(samples), ignored_labels=ignored)


def _pages(sample: Sample, mask_is_image: bool) -> Iterator[Sample]:
    images = pages_of(sample.image)
    masks = pages_of(sample.mask) if mask_is_image else [sample.mask]
    if len(images) != len(masks):
        there = count(len(masks), "page") if mask_is_image else "one image to it"
        raise DataError(
            f"{sample.image}: holds {count(len(images), 'page')}, {sample.mask} {there}; give both as many, or save "
            "each page as a file of its own"
        )
    if len(images) == 1:
        yield sample
        return
    for image, mask in zip(images, masks, strict=True):
        name, mask_name = image[len(sample.images_folder) + 1 :], mask[len(sample.masks_folder) + 1 :]
        yield replace(sample, name=name, mask_name=mask_name)


def masks_that_fit(samples: Iterable[Sample]) -> list[str]:
    """The mask files, or pages of them, of some samples.

    Those are left out that claim another size than their image and would take long to decode; they are told of later.
    """
    with ThreadPoolExecutor(processor_count()) as pool:
        return [page for mask in pool.map(_fitting_mask, samples) for page in (pages_of(mask) if mask else ())]


def _fitting_mask(sample: Sample) -> str | None:
    try:
        height, width = mask_size(sample.mask)
        if height * width <= _LARGE:
            return sample.mask
        header = open_header(read_bytes(sample.image), sample.image)
    except DataError:
        return sample.mask
    return sample.mask if {height, width} == {header.height, header.width} else None
