"""The finished members of a run, each read once, however many stages of a command ask for it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.config.schema import MemberSpec
from pipeline.records.members import Member, read_member
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder


@dataclass(frozen=True)
class FinishedMembers:
    """The finished members in a run's folder; each is read, and checked, once."""

    folder: RunFolder
    data_digest: str
    """`Digits.digest` of what they must have been trained on."""
    _members: dict[MemberSpec, Member] = field(default_factory=dict, init=False)

    def read(self, spec: MemberSpec) -> Member:
        """A member.

        Raises:
            DamagedError: see `read_member`.
        """
        if spec not in self._members:
            self._members[spec] = read_member(self.folder.member(spec), spec, self.data_digest)
        return self._members[spec]

    def among(self, specs: Iterable[MemberSpec]) -> tuple[list[Member], dict[MemberSpec, str]]:
        """Those of the members that are finished, in this order, and why each of the others is not."""
        finished, reasons = [], {}
        for spec in specs:
            try:
                finished.append(self.read(spec))
            except DamagedError as error:
                reasons[spec] = str(error)
        return finished, reasons
