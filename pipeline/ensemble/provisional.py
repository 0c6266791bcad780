"""A submission while members still train, so that whatever ends the run leaves one."""

from collections import defaultdict
from collections.abc import Callable, Sequence

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


class ProvisionalVote:
    """An observer that has all whole pairs vote each time that one more is finished.

    A whole pair is all arms of one seed and fold. The vote of all members is left to the run itself.

    Args:
        view: Is notified of all that this is notified of.
        folder: The run's folder.
        config: The run.
        digits: The data.
        members: The members that are finished.
        publish: Called after each rewriting of the submission.
    """

    def __init__(
        self,
        view: Observer,
        folder: RunFolder,
        config: RunConfig,
        digits: Digits,
        members: FinishedMembers,
        publish: Callable[[RunFolder], None],
    ) -> None:
        self._view = view
        self._folder = folder
        self._name, self._specs = config.name, member_specs(config)
        self._digits = digits
        self._read = members.read
        self._publish = publish
        self._members: dict[MemberSpec, Member] = {}
        self._voters = recorded_voters(folder)

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """These of the run's members were finished before."""
        self._view.begin(finished, total)
        self._members = {spec: self._read(spec) for spec in finished}
        self._vote()

    def watch(self, spec: MemberSpec, progress: Progress) -> None:
        """A member has come so far."""
        self._view.watch(spec, progress)

    def finished(self, spec: MemberSpec) -> None:
        """A member is finished and in its folder."""
        self._view.finished(spec)
        try:
            self._members[spec] = self._read(spec)
        except DamagedError as error:
            self.warn(str(error))
        self._vote()

    def warn(self, text: str) -> None:
        """Something went wrong that the run survives."""
        self._view.warn(text)

    def _vote(self) -> None:
        pairs: dict[tuple[int, int | None], list[MemberSpec]] = defaultdict(list)
        for spec in self._specs:
            pairs[spec.seed, spec.fold].append(spec)
        voters = [spec for pair in pairs.values() if self._members.keys() >= set(pair) for spec in pair]
        if not self._voters < len(voters) < len(self._specs):
            return
        labels = predicted_labels(soft_vote([self._members[spec].test_probabilities for spec in voters]))
        if same_digit(labels):
            return
        self._voters = len(voters)
        ids = [spec.id for spec in voters]
        made_of = SubmissionRecord({self._name: ids}, missing=len(self._specs) - len(ids))
        write_submission(self._folder, self._digits.image_ids, labels, made_of)
        self._publish(self._folder)
