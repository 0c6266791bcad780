"""kernel-metadata.json: read, checked against what Kaggle and its client accept, and given its owner."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from slugify import slugify

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION
from pipeline.config.schema import FORBID_UNKNOWN_KEYS, DeviceKind
from pipeline.config.text import encoding_fault

METADATA = Path("kernel-metadata.json")
CODE_FILE = Path("build/kernel.py")
PLACEHOLDER = "INSERT_USERNAME"
SHORTEST = 5  # characters of a slug
USER = re.compile(r"[A-Za-z0-9_-]+")
SHAPES = {"gpu": "nvidia", "tpu": "tpu"}  # how the names of Kaggle's machines begin


@dataclass(frozen=True)
class KernelMetadata:
    """The fields of kernel-metadata.json.

    Those without a default here are required: the client's own defaults differ from its documentation.
    """

    # The client ignores unknown keys, so a misspelt one would do nothing.
    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    id: str
    """owner/slug."""
    title: str
    """Kaggle makes the slug from it, so the two must agree."""
    code_file: str
    language: Literal["python"]
    kernel_type: Literal["script"]
    is_private: bool
    enable_gpu: bool
    enable_tpu: bool
    enable_internet: bool
    machine_shape: str
    """The accelerator, such as NvidiaTeslaT4; empty for none or Kaggle's usual."""
    competition_sources: list[str]
    dataset_sources: list[str]
    kernel_sources: list[str]
    model_sources: list[str]
    keywords: list[str]
    id_no: int | None = None
    """Kaggle's own number of the kernel, as `kaggle kernels pull -m` writes it."""
    docker_image: str | None = None
    """The image that the kernel runs in; Kaggle's latest by default."""
    docker_image_pinning_type: Literal["original", "latest"] | None = None
    """Whether later versions keep that image."""

    @property
    def accelerator(self) -> DeviceKind:
        """What it asks Kaggle for; auto where it asks for nothing."""
        return "gpu" if self.enable_gpu else "tpu" if self.enable_tpu else "auto"

    @property
    def has_owner(self) -> bool:
        """Whether a user's name stands in place of the placeholder."""
        return not self.id.startswith(f"{PLACEHOLDER}/")


def read_metadata() -> KernelMetadata:
    """Read the working directory's kernel-metadata.json.

    Raises:
        UserError: there is none, or Kaggle would not take it; every problem is listed.
    """
    try:
        content = METADATA.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"no {METADATA} in {Path.cwd()}. Give this command in the folder of the clone that has it."
        ) from None
    if fault := encoding_fault(content):
        raise UserError(f"{METADATA} {fault}.")
    try:
        metadata = TypeAdapter(KernelMetadata).validate_json(content, strict=True)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the text'}: {e['msg']}" for e in error.errors()]
    else:
        problems = _problems(metadata)
        if not problems:
            return metadata
    raise UserError(f"{METADATA} cannot be pushed:\n" + "\n".join(f"  - {line}" for line in problems))


def owned(metadata: KernelMetadata, user: str) -> KernelMetadata:
    """The metadata with the user's name in place of the placeholder; the file stays as it is.

    Raises:
        UserError: that is no user's name.
    """
    if metadata.has_owner:
        return metadata
    if not USER.fullmatch(user):
        raise UserError(
            f"{user!r} is not a Kaggle user name{', but an e-mail address' if '@' in user else ''}. Your user name is "
            "the last part of the address of your profile, https://www.kaggle.com/USERNAME. Correct it where your "
            f"credentials are, or write it into {METADATA} in place of {PLACEHOLDER}."
        )
    return replace(metadata, id=f"{user}/{metadata.id.partition('/')[2]}")


def _problems(metadata: KernelMetadata) -> list[str]:
    found = []
    owner_and_slug = re.fullmatch(rf"({USER.pattern})/([\w-]+)", metadata.id)
    if not owner_and_slug:
        found.append(f"id must be owner/slug. Received: {json.dumps(metadata.id)}")
    else:
        slug = owner_and_slug[2]
        if len(slug) < SHORTEST:
            found.append(f"id: the slug must have at least {SHORTEST} characters. Received: {slug!r}")
        if slugify(metadata.title) != slug:
            found.append(
                f"title: Kaggle makes the slug {slugify(metadata.title)!r} of it, and the id says {slug!r}. "
                "Change one of them, or the kernel will not be found again."
            )
    if metadata.code_file != CODE_FILE.as_posix():
        found.append(f"code_file must be {CODE_FILE.as_posix()}. Received: {metadata.code_file!r}")
    if metadata.enable_gpu and metadata.enable_tpu:
        found.append("enable_gpu and enable_tpu are both true: a kernel has one accelerator")
    for kind, enabled in (("gpu", metadata.enable_gpu), ("tpu", metadata.enable_tpu)):
        # The shape wins at Kaggle over the two switches.
        if metadata.machine_shape.lower().startswith(SHAPES[kind]) and not enabled:
            found.append(
                f"machine_shape {metadata.machine_shape} is a {kind.upper()}, and enable_{kind} is false. Change one "
                'of them; without an accelerator machine_shape is ""'
            )
    if COMPETITION not in metadata.competition_sources:
        found.append(f"competition_sources must hold {COMPETITION!r}: the kernel's data comes from there")
    return found
