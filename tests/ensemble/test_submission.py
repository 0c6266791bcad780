import numpy as np
import pytest

from pipeline.config.errors import UserError
from pipeline.ensemble.submission import check_submission, write_submission

IDS = np.array([7, 8, 9])


def test_written_to_the_byte(tmp_path):
    path = tmp_path / "submission.csv"
    write_submission(path, IDS, np.array([0, 9, 3]))
    assert path.read_bytes() == b"ImageId,Label\n7,0\n8,9\n9,3\n"
    check_submission(path, IDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ImageId,Label\n7,0\n8,1\n", "expected 3 rows.*Received: 2"),
        ("ImageId,Label\n7,0\n9,1\n8,2\n", "line 3: expected ImageId 8. Received: 9"),
        ("ImageId,Label\n7,0\n8,10\n9,2\n", "line 3: a label must be 0 to 9. Received: 10"),
        ("ImageId,Label\n7,0\n8,-1\n9,2\n", "line 3: a label must be 0 to 9. Received: -1"),
        ("ImageId,Label\n7,0\n8,1.5\n9,2\n", "integers 0 to 9. Received a column of float64"),
        ("ImageId,Label\n7,0\n8,\n9,2\n", "integers 0 to 9"),
        ("Label,ImageId\n7,0\n8,1\n9,2\n", "columns must be"),
        ("", "cannot be read as CSV"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    path = tmp_path / "submission.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"submission.csv: .*{message}"):
        check_submission(path, IDS)


def test_a_bad_submission_is_never_written(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("the one before")
    with pytest.raises(UserError, match="0 to 9"):
        write_submission(path, IDS, np.array([0, 1, 12]))
    assert path.read_text() == "the one before"
    assert len(list(tmp_path.iterdir())) == 1
