"""kernel-metadata.json: read and checked against what Kaggle and its client accept; the owner filled in."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from slugify import slugify

from pipeline.config.errors import UserError
from pipeline.config.places import COMPETITION
from pipeline.config.schema import FORBID_UNKNOWN_KEYS
from pipeline.kaggle.bundle import BUNDLE
from pipeline.records.atomic import atomic_replace

METADATA = Path("kernel-metadata.json")
PLACEHOLDER = "INSERT_USERNAME"
SHORTEST = 5  # characters of a title and of a slug


@dataclass(frozen=True)
class KernelMetadata:
    """The fields of kernel-metadata.json, all required: the client's defaults differ from its documentation."""

    # The client ignores unknown keys silently, so a misspelt one would do nothing.
    __pydantic_config__ = FORBID_UNKNOWN_KEYS

    id: str
    """owner/slug."""
    title: str
    """Kaggle makes the slug from it: the two have to agree."""
    code_file: str
    language: Literal["python"]
    kernel_type: Literal["script"]
    is_private: bool
    enable_gpu: bool
    enable_tpu: bool
    enable_internet: bool
    machine_shape: str
    """The accelerator, such as NvidiaTeslaT4."""
    competition_sources: list[str]
    dataset_sources: list[str]
    kernel_sources: list[str]
    model_sources: list[str]
    keywords: list[str]

    @property
    def has_owner(self) -> bool:
        """Whether the placeholder has given way to a user's name."""
        return not self.id.startswith(f"{PLACEHOLDER}/")


def read_metadata() -> KernelMetadata:
    """The working directory's kernel-metadata.json.

    Raises:
        UserError: there is none, or Kaggle would not take it; every problem is listed.
    """
    try:
        metadata = TypeAdapter(KernelMetadata).validate_json(METADATA.read_text(encoding="utf-8"), strict=True)
    except FileNotFoundError:
        raise UserError(
            f"no {METADATA} in {Path.cwd()}. Give this command in the folder of the clone that has it."
        ) from None
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the text'}: {e['msg']}" for e in error.errors()]
    else:
        problems = _problems(metadata)
        if not problems:
            return metadata
    raise UserError(f"{METADATA} cannot be pushed:\n" + "\n".join(f"  - {line}" for line in problems))


def fill_owner(metadata: KernelMetadata, user: str) -> KernelMetadata:
    """Write the user's name in place of the placeholder, and return what the file says then."""
    if metadata.has_owner:
        return metadata
    text = METADATA.read_text(encoding="utf-8").replace(f'"{PLACEHOLDER}/', f'"{user}/')
    with atomic_replace(METADATA) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return read_metadata()


def _problems(metadata: KernelMetadata) -> list[str]:
    found = []
    owner_and_slug = re.fullmatch(r"([\w-]+)/([\w-]+)", metadata.id)
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
    if len(metadata.title) < SHORTEST:
        found.append(f"title must have at least {SHORTEST} characters. Received: {metadata.title!r}")
    if metadata.code_file != BUNDLE.as_posix():
        found.append(f"code_file must be {BUNDLE.as_posix()}. Received: {metadata.code_file!r}")
    if COMPETITION not in metadata.competition_sources:
        found.append(f"competition_sources must hold {COMPETITION!r}: the kernel's data comes from there")
    return found
