"""The real client against a loopback server: credentials, retries, time-outs, refusals."""

import subprocess
import sys
from pathlib import Path

import pytest
from kaggle_server import KEY, USER, After, refusal
from werkzeug import Response

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle import client as kaggle_api
from pipeline.kaggle.calls import kernel_status, submissions_left, submit_kernel_output
from pipeline.kaggle.client import Kaggle, NoAnswerError

ROOT = Path(__file__).parents[2]


def test_a_busy_server_is_asked_again(server, account, capsys):
    server.faults["GetSubmissionLimits"] = [503, refusal(429, **{"Retry-After": "1"})]
    assert submissions_left(account) == (5, 0)
    assert server.calls.count("GetSubmissionLimits") == 3
    assert "Kaggle is busy (429); next try in 1 s" in capsys.readouterr().err


def test_a_long_wait_is_left_to_the_user(server, account):
    server.faults["GetSubmissionLimits"] = [refusal(429, **{"Retry-After": "4000"})]
    with pytest.raises(RunError, match=r"answered 429.*try again in 4000 s"):
        submissions_left(account)
    assert server.calls.count("GetSubmissionLimits") == 1


def test_a_submission_is_not_repeated(server, account):
    server.faults["CreateCodeSubmission"] = [503]
    with pytest.raises(NoAnswerError, match="answered 503"):
        submit_kernel_output(account, "ada/kernel", 1, "once")
    assert server.calls.count("CreateCodeSubmission") == 1


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (401, UserError, "answered 401: the server's own words. The credentials are not valid"),
        (403, UserError, "answered 403: the server's own words. Join the competition first.*digit-recognizer/rules"),
        (404, UserError, "answered 404.*still open"),
        (400, RunError, "answered 400: the server's own words"),
        (418, RunError, "answered 418"),
        (Response("<html>a hotel's log-in page</html>", content_type="text/html"), NoAnswerError, "not Kaggle's"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(fault, kind, message, server, account):
    server.faults["GetSubmissionLimits"] = [fault]
    with pytest.raises(kind, match=message) as caught:
        submissions_left(account)
    assert KEY not in str(caught.value)


def test_a_refusal_inside_of_a_success(server, account):
    content = '{"code": 403, "message": "You must accept the rules"}'
    server.faults["GetSubmissionLimits"] = [Response(content, status=200, content_type="application/json")]
    with pytest.raises(UserError, match="answered 403: You must accept the rules. Join the competition"):
        submissions_left(account)


def test_a_wrong_kernel_name(server, account):
    server.faults["GetKernelSessionStatus"] = [403]
    with pytest.raises(UserError, match="the status of ada/nothing.*owner/slug"):
        kernel_status(account, "ada/nothing")
    with pytest.raises(UserError, match="a kernel is named owner/slug"):
        kernel_status(account, "nothing")


def test_a_server_that_stays_down(server, account):
    server.faults["GetSubmissionLimits"] = [500] * 3
    with pytest.raises(NoAnswerError, match="answered 500.*try again later"):
        submissions_left(account)
    assert server.calls.count("GetSubmissionLimits") == 3


def test_no_answer_and_no_connection(server, account, monkeypatch):
    server.faults["GetSubmissionLimits"] = ["slow"] * 3
    with pytest.raises(NoAnswerError, match="no answer from Kaggle within"):
        submissions_left(account)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(NoAnswerError, match="the connection to Kaggle failed"):
        submissions_left(account)


def test_what_arrived_before_a_fault_is_not_sent_again(server, account):
    server.outputs["submission.csv"] = b"ImageId,Label\n1,0\n"
    server.faults["CreateCodeSubmission"] = [After(504)]
    with pytest.raises(NoAnswerError):
        submit_kernel_output(account, "ada/kernel", 1, "once")
    assert len(server.submissions) == 1


def ask_limits(environment, folder):
    code = (
        "import sys\nfrom pipeline.cli import main\nfrom pipeline.kaggle_calls import submissions_left\n"
        "import pipeline.kaggle.download\nfrom pipeline.kaggle.client import Kaggle\n"
        "pipeline.download.download_data = lambda: print(submissions_left(Kaggle()))\nmain(['download'])"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_credentials(server, tmp_path):
    environment = server.environment(tmp_path)
    del environment["KAGGLE_USERNAME"], environment["KAGGLE_KEY"]
    done = ask_limits(environment, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no Kaggle credentials were found")
    assert "https://www.kaggle.com/settings/api" in done.stderr
    assert done.stdout == ""
    assert server.calls == []


def test_wrong_credentials_and_keys_are_never_shown(server, tmp_path):
    done = ask_limits(server.environment(tmp_path) | {"KAGGLE_KEY": "wrong", "VERBOSE": "1"}, tmp_path)
    assert done.returncode == 2
    assert "The credentials are not valid" in done.stderr
    done = ask_limits(server.environment(tmp_path) | {"VERBOSE": "1"}, tmp_path)
    assert done.stdout == "(5, 0)\n"
    assert "Basic" not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


def test_the_account_knows_its_user(account):
    assert account.user == USER
    assert isinstance(account, Kaggle)
    assert kaggle_api.TIMEOUT[1] == 2  # the fixture's, so that these tests are quick
