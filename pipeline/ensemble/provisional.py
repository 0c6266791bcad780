"""A submission while members still train, so that whatever ends the run leaves one."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from pipeline.config.schema import MemberSpec
from pipeline.data.digits import Digits
from pipeline.ensemble.soft_vote import predicted_labels, soft_vote
from pipeline.ensemble.submission import write_submission
from pipeline.records.members import Member, read_member
from pipeline.records.outcome import recorded_voters, write_outcome
from pipeline.records.run_folder import RunFolder
from pipeline.training.engine import Observer
from pipeline.training.messages import Progress


class ProvisionalVote:
    """An observer that has all whole pairs vote, with equal weights, each time that one more is finished.

    A whole pair is all arms of one seed and fold. The vote of all members is left to the run itself.

    Args:
        view: Is told all that this is told.
        folder: The run's folder.
        specs: The run's members.
        digits: The data.
        publish: Called after each rewriting of the submission.
    """

    def __init__(
        self,
        view: Observer,
        folder: RunFolder,
        specs: Sequence[MemberSpec],
        digits: Digits,
        publish: Callable[[RunFolder], None],
    ) -> None:
        self._view = view
        self._folder = folder
        self._specs = specs
        self._digits = digits
        self._publish = publish
        self._members: dict[MemberSpec, Member] = {}
        self._voters = recorded_voters(folder)

    def begin(self, finished: Sequence[MemberSpec], total: int) -> None:
        """These of the run's members were finished before."""
        self._view.begin(finished, total)
        self._members = {spec: read_member(self._folder.member(spec), spec) for spec in finished}
        self._vote()

    def watch(self, spec: MemberSpec, progress: Progress) -> None:
        """A member has come so far."""
        self._view.watch(spec, progress)

    def finished(self, spec: MemberSpec) -> None:
        """A member is finished and in its folder."""
        self._view.finished(spec)
        self._members[spec] = read_member(self._folder.member(spec), spec)
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
        self._voters = len(voters)
        labels = predicted_labels(soft_vote([self._members[spec].test_probabilities for spec in voters]))
        write_submission(self._folder.submission, self._digits.image_ids, labels)
        write_outcome(self._folder, len(voters), len(self._specs))
        self._publish(self._folder)
