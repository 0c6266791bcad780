import numpy as np
import pytest

from pipeline.config.errors import UserError
from pipeline.data.submission_file import check_submission, with_labels

IDS = np.array([7, 8, 9])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ImageId,Label\n7,0\n8,1\n", "expected 3 rows.*Received: 2"),
        (b"ImageId,Label\n7,0\n8,1\n9,2\n10,3\n", "expected 3 rows.*Received: 4"),
        (b"ImageId,Label\n7,0\n9,1\n8,2\n", "line 3: expected ImageId 8. Received: '9'"),
        (b"ImageId,Label\n7,0\n8,10\n9,2\n", "line 3: a label must be 0 to 9. Received: '10'"),
        (b"ImageId,Label\n7,0\n8,-1\n9,2\n", "line 3: expected two integers.*Received: '8,-1'"),
        (b"ImageId,Label\n7,0\n8,1.5\n9,2\n", "line 3: expected two integers.*Received: '8,1.5'"),
        (b"ImageId,Label\n7,0\n8.0,1\n9,2\n", "line 3: expected two integers.*Received: '8.0,1'"),
        (b"ImageId,Label\n07,0\n8,1\n9,2\n", "line 2: expected two integers.*Received: '07,0'"),
        (b"ImageId,Label\n7,0\n8,+1\n9,2\n", "line 3: expected two integers"),
        (b"ImageId,Label\n7,0\n8,1e0\n9,2\n", "line 3: expected two integers"),
        (b"ImageId,Label\n7,0\n8, 1\n9,2\n", "line 3: expected two integers.*Received: '8, 1'"),
        (b"ImageId,Label\n7,0\n8,1 \n9,2\n", "line 3: expected two integers"),
        (b"ImageId,Label\n7,0\n8,1,\n9,2\n", "line 3: expected two integers"),
        (b'ImageId,Label\n7,0\n"8",1\n9,2\n', "line 3: expected two integers"),
        ("ImageId,Label\n7,0\n8,\u0661\n9,2\n".encode(), "line 3: expected two integers"),
        (b"ImageId,Label\n7,0\n8,\n9,2\n", "line 3: expected two integers"),
        (b"ImageId,Label\n7,0\n8,1\0\n9,2\n", r"line 3: expected two integers.*'8,1\\x00'"),
        (b"ImageId,Label\n7,0\n" + b"8" * 5000 + b",1\n9,2\n", r"line 3: .*'8{40}'\.\.\. \(5,000 characters\)$"),
        (b"ImageId,Label\n7,0\n\n8,1\n9,2\n", "line 3: blank"),
        (b"ImageId,Label\n7,0\n8,1\n9,2\n\n", "expected 3 rows, one per test image. Received: 4"),
        (b"\nImageId,Label\n7,0\n8,1\n9,2\n", "line 1: expected the columns ImageId,Label. Received: ''"),
        (b"\xef\xbb\xbfImageId,Label\n7,0\n8,1\n9,2\n", "begins with a byte order mark"),
        ("ImageId,Label\n7,0\n8,1\n9,2\n".encode("utf-16"), "is UTF-16"),
        (b"ImageId,Label\r\n7,0\n8,1\r\n9,2\r\n", "the ends of the lines differ"),
        (b"ImageId,Label\n7,0\n8,1\r\n9,2\n", "the ends of the lines differ"),
        (b"ImageId,Label\r7,0\r8,1\r9,2\r", "the ends of the lines differ, or are old Macintosh ones"),
        (b"Label,ImageId\n7,0\n8,1\n9,2\n", "line 1: expected the columns ImageId,Label. Received: 'Label,ImageId'"),
        (b"imageid,label\n7,0\n8,1\n9,2\n", "line 1: expected the columns"),
        (b"ImageId, Label\n7,0\n8,1\n9,2\n", "line 1: expected the columns"),
        (b'"ImageId","Label"\n7,0\n8,1\n9,2\n', "line 1: expected the columns"),
        (b"7,0\n8,1\n9,2\n", "line 1: expected the columns"),
        (b"ImageId,Label\n", "expected 3 rows, one per test image. Received: 0"),
        (b"", "line 1: expected the columns ImageId,Label. Received: ''"),
        (b"\0" * 10_000_001, "larger than 10,000,000 bytes"),
    ],
)
def test_faults_are_named(tmp_path, content, message):
    path = tmp_path / "submission.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"submission.csv: .*{message}"):
        check_submission(path, IDS)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_both_usual_line_ends_and_none_at_the_end_are_taken(tmp_path, end, last):
    path = tmp_path / "submission.csv"
    path.write_bytes(end.join([b"ImageId,Label", b"7,0", b"8,9", b"9,3"] + [b""] * last))
    assert check_submission(path, IDS) == path.read_bytes()


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.csv: cannot be read .No such file"):
        check_submission(tmp_path / "nowhere.csv", IDS)
    with pytest.raises(UserError, match="cannot be read .Is a directory"):
        check_submission(tmp_path, IDS)


def test_one_digit_for_every_image_is_no_prediction(tmp_path):
    path, ids = tmp_path / "submission.csv", np.arange(20)
    for labels in ([4] * 20, [0] * 20):
        path.write_text("\n".join(["ImageId,Label", *map("{},{}".format, ids, labels)]))
        with pytest.raises(UserError, match=f"every image is given the digit {labels[0]}"):
            check_submission(path, ids)
    path.write_text("\n".join(["ImageId,Label", *map("{},{}".format, ids, [4] * 19 + [5])]))
    check_submission(path, ids)


def test_labels_of_the_test_images_are_those_of_the_file(digits, tmp_path):
    path = tmp_path / "labels.csv"
    labels = (7 * np.arange(30) + 3) % 10
    path.write_text("\n".join(["ImageId,Label", *map("{},{}".format, digits.image_ids, labels)]))
    known = with_labels(digits, path)
    assert known.held_back_labels.tolist() == labels.tolist()
    assert known.held_back_labels.dtype == np.uint8
    assert known.digest() == digits.digest()  # the members' data stays the same
    assert with_labels(digits, None) is digits
    path.write_text(path.read_text().rpartition("\n")[0])
    with pytest.raises(UserError, match="expected 30 rows.*Received: 29"):
        with_labels(digits, path)


def test_the_samples_rows_are_named_for_what_they_are(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("ImageId,Label\n" + "".join(f"{image},{image % 10}\n" for image in range(1, 2001)))
    with pytest.raises(UserError, match=r"Received: 2000 \(this looks like the sample.*then run quick"):
        check_submission(path, range(1, 28_001))
