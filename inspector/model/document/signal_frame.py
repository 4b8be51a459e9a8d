"""The signal frame within a profile document."""

from typing import Annotated

from msgspec import Meta, Struct

from inspector.model.document.scalars import Count
from inspector.model.signal_frame import FrameImage, SignalFrame

_MOST_SPANS = 1 << 10
_LARGEST_IMAGE_BYTES = 1 << 16


class SpanJson(Struct, frozen=True):
    """Some bytes of an image."""

    offset: Count
    length: Annotated[int, Meta(ge=1, le=_LARGEST_IMAGE_BYTES)]


class FrameImageJson(Struct, frozen=True):
    """A sample of what the kernel wrote; the bytes that it left alone stand as zeros."""

    contents: bytes
    untouched: Annotated[tuple[SpanJson, ...], Meta(max_length=_MOST_SPANS)]


class SignalFrameJson(Struct, frozen=True):
    """What lies below an interrupted esp, upwards: `plain`, or `rt` with SA_SIGINFO, and then `fpstate`.

    The FXSAVE or XSAVE image at `fxsave_offset` of `fpstate` is aligned to 64 bytes. The other offsets are
    those of __kernel_sigreturn and __kernel_rt_sigreturn in the vdso. `keeps_null_selectors` is false where
    sigreturn makes a null selector 3.
    """

    plain: FrameImageJson
    rt: FrameImageJson
    fpstate: FrameImageJson
    fxsave_offset: Count
    sigreturn_offset: Count | None
    rt_sigreturn_offset: Count | None
    keeps_null_selectors: bool


def signal_frame_json(frame: SignalFrame) -> SignalFrameJson:
    """Return the JSON type of `frame`."""
    return SignalFrameJson(
        plain=_image_json(frame.plain),
        rt=_image_json(frame.rt),
        fpstate=_image_json(frame.fpstate),
        fxsave_offset=frame.fxsave_offset,
        sigreturn_offset=frame.sigreturn_offset,
        rt_sigreturn_offset=frame.rt_sigreturn_offset,
        keeps_null_selectors=frame.keeps_null_selectors,
    )


def check_signal_frame(json: SignalFrameJson) -> None:
    """Raise ValueError for a frame that cannot be."""
    for name, image in (("plain", json.plain), ("rt", json.rt), ("fpstate", json.fpstate)):
        if len(image.contents) > _LARGEST_IMAGE_BYTES:
            raise ValueError(f"no signal frame has {len(image.contents)} bytes of {name}")
        reached = 0
        for span in image.untouched:
            if span.offset < reached or span.offset + span.length > len(image.contents):
                raise ValueError(f"the untouched bytes of {name} are out of order or outside it")
            reached = span.offset + span.length
    if json.fxsave_offset > len(json.fpstate.contents):
        raise ValueError("fxsave_offset lies outside fpstate")


def _image_json(image: FrameImage) -> FrameImageJson:
    return FrameImageJson(image.contents, tuple(SpanJson(*span) for span in image.untouched))
