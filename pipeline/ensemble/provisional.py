"""A submission while members still train, so that whatever ends the run leaves one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.config.schema import MemberSpec, RunConfig, member_specs
from pipeline.data.digits import Digits
from pipeline.data.submission_file import same_digit
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.ensemble.submission import write_submission
from pipeline.records.finished import FinishedMembers
from pipeline.records.members import Member
from pipeline.records.readers import DamagedError
from pipeline.records.run_folder import RunFolder
from pipeline.records.submission_record import SubmissionRecord, recorded_voters
from pipeline.training.engine import Observer
from pipeline.training.messages import Progress


@dataclass
class ProvisionalVote:
    """An observer that has all whole pairs vote each time that one more is finished.

    A whole pair is all arms of one seed and fold. The vote of all members is left to the run itself.
    """

    view: Observer
    """Is notified of all that this is notified of."""
    folder: RunFolder
    config: RunConfig
    digits: Digits
    members: FinishedMembers
    publish: Callable[[RunFolder], None]
    """Called after each rewriting of the submission."""

    def __post_init__(self) -> None:
        self._specs = member_specs(self.config)
        self._voting: dict[MemberSpec, Member] = {}
        self._voters = recorded_voters(self.folder)

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """These of the run's members were finished before."""
        self.view.begin(finished, total)
        self._voting = {spec: self.members.read(spec) for spec in finished}
        self._vote()

    def watch(self, spec: MemberSpec, progress: Progress) -> None:
        """A member has come so far."""
        self.view.watch(spec, progress)

    def finished(self, spec: MemberSpec) -> None:
        """A member is finished and in its folder."""
        self.view.finished(spec)
        try:
            self._voting[spec] = self.members.read(spec)
        except DamagedError as error:
            self.warn(str(error))
        self._vote()

    def failed(self, spec: MemberSpec, reason: str) -> None:
        """A member is left out."""
        self.view.failed(spec, reason)

    def warn(self, text: str) -> None:
        """Something went wrong that the run survives."""
        self.view.warn(text)

    def _vote(self) -> None:
        pairs: dict[tuple[int, int | None], list[MemberSpec]] = defaultdict(list)
        for spec in self._specs:
            pairs[spec.seed, spec.fold].append(spec)
        voters = [spec for pair in pairs.values() if self._voting.keys() >= set(pair) for spec in pair]
        if not self._voters < len(voters) < len(self._specs):
            return
        labels = predicted_labels(soft_vote([self._voting[spec].test_probabilities for spec in voters]))
        if same_digit(labels):
            return
        self._voters = len(voters)
        ids = [spec.id for spec in voters]
        made_of = SubmissionRecord({self.config.name: ids}, missing=len(self._specs) - len(ids))
        write_submission(self.folder, self.digits.image_ids, labels, made_of)
        self.publish(self.folder)
