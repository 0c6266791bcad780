"""The real client against a loopback server: credentials, retries, time-outs, refusals."""

import gzip
import socketserver
import ssl
import subprocess
import sys
import threading
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from conftest import PYTHON_PATH
from kaggle_server import KEY, After, refusal, reply
from werkzeug import Response

from pipeline.config.errors import RunError, UserError
from pipeline.kaggle import calls, connection
from pipeline.kaggle.calls import download_outputs, kernel_status, submissions, submissions_left, submit_kernel_output
from pipeline.kaggle.connection import transfer
from pipeline.kaggle.refusals import NoAnswerError, explained


def test_a_busy_server_is_asked_again(server, account, capsys):
    server.faults["GetSubmissionLimits"] = [503, refusal(429, **{"Retry-After": "1"})]
    assert submissions_left(account) == (5, 0)
    assert server.calls.count("GetSubmissionLimits") == 3
    assert (
        "answered 429: the server's own words. Too many requests; try again in 1 s. Next try in 1 s"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", ["4000", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_long_wait_is_left_to_the_user(status, after, server, account):
    server.faults["GetSubmissionLimits"] = [refusal(status, **{"Retry-After": after})]
    with pytest.raises(RunError, match=rf"answered {status}.*try again in \d{{4,}} s"):
        submissions_left(account)
    assert server.calls.count("GetSubmissionLimits") == 1


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (401, UserError, "answered 401: the server's own words. The credentials are not valid"),
        (403, UserError, "answered 403: the server's own words. Join the competition first.*digit-recognizer/rules"),
        (400, RunError, "answered 400: the server's own words"),
        (Response("<html>a hotel's log-in page</html>", content_type="text/html"), NoAnswerError, "not Kaggle's"),
        (Response("null", content_type="application/json"), NoAnswerError, "does not understand Kaggle's answer"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(fault, kind, message, server, account):
    server.faults["GetSubmissionLimits"] = [fault] * 3
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


def test_a_server_that_stays_down_or_is_not_there(server, account, monkeypatch):
    server.faults["GetSubmissionLimits"] = [500, "slow", 500]
    with pytest.raises(NoAnswerError, match="answered 500.*try again later"):
        submissions_left(account)
    assert server.calls.count("GetSubmissionLimits") == 3
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(NoAnswerError, match="no answer from Kaggle .ProxyError.*http_proxy"):
        submissions_left(account)


@pytest.mark.parametrize(("fault", "arrived"), [(503, 0), (After(504), 1)])
def test_a_submission_is_not_repeated(fault, arrived, server, account):
    server.outputs["submission.csv"] = b"ImageId,Label\n1,0\n"
    server.faults["CreateCodeSubmission"] = [fault]
    with pytest.raises(NoAnswerError, match=f"answered {int(fault)}"):
        submit_kernel_output(account, "ada/kernel", 1, "once")
    assert (server.calls.count("CreateCodeSubmission"), len(server.submissions)) == (1, arrived)


def test_wrong_credentials_and_keys_are_never_shown(server, tmp_path):
    """In a process of its own: VERBOSE is read when the client is imported."""
    code = (
        "import os\nfrom pipeline.kaggle.client import Kaggle\nfrom pipeline.kaggle.calls import submissions_left\n"
        "print(submissions_left(Kaggle()))\nos.environ['KAGGLE_KEY'] = 'wrong'\n"
        "try: submissions_left(Kaggle())\nexcept Exception as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=server.environment(tmp_path) | {"PYTHONPATH": PYTHON_PATH, "VERBOSE": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.startswith("(5, 0)\nthe limit of submissions: Kaggle answered 401")
    assert "The credentials are not valid" in done.stdout
    assert "Basic" not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.fixture
def proxy(tmp_path, account, monkeypatch):
    """A proxy that reads along in TLS, with a certificate of its own; counts the connections."""
    certificate = tmp_path / "proxy.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=files.test", "-addext", "subjectAltName=DNS:files.test"]
    subprocess.run(
        [*make, *names, "-keyout", certificate, "-out", tmp_path / "root.pem"], check=True, capture_output=True
    )
    certificate.write_bytes(certificate.read_bytes() + (tmp_path / "root.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    connections = []

    class Proxy(socketserver.BaseRequestHandler):
        def handle(self):
            connections.append(self.request.recv(4096))
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_address[1]}")
        yield connections, tmp_path / "root.pem"
        server.shutdown()


def ask_file(session):
    return session.get("https://files.test/data.zip").text


def test_a_proxy_that_inspects_tls_is_named_at_once_and_its_certificate_helps(proxy, monkeypatch):
    connections, root = proxy
    with pytest.raises(UserError, match="downloading: .*inspect TLS.* set REQUESTS_CA_BUNDLE"):
        transfer("downloading", ask_file)
    assert len(connections) == 1
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(root))
    assert transfer("downloading", ask_file) == "here"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    with pytest.raises(UserError, match="downloading: .*invalid path: nowhere.pem"):
        transfer("downloading", ask_file)


@pytest.mark.parametrize(
    ("proxy_address", "kind", "message"),
    [
        ("socks5h://me:s3cret-word@127.0.0.1:9", UserError, r"SOCKS proxy.*pip install 'requests\[socks\]'"),
        ("http://me:s3cret-word@127.0.0.1:9", RunError, "no answer from Kaggle"),
        ("http://", UserError, "not the address of a proxy"),
    ],
)
def test_proxies_that_cannot_work_are_told_without_their_password(proxy_address, kind, message, account, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy_address)
    with pytest.raises(kind, match=message) as caught:
        submissions_left(account)
    assert "s3cret" not in str(caught.value)


def test_no_credentials_of_netrc_go_to_the_addresses_that_kaggle_hands_out(server, account):
    Path("~/.netrc").expanduser().write_text("machine files.test login ada password s3cret-word\n")
    server.outputs["x"] = b"here"
    assert transfer("downloading", lambda session: session.get("http://files.test/files/x").text) == "here"


def bomb(megabytes):
    """An answer of some kilobytes that unpacks to this."""
    packed = gzip.compress(bytes(1 << 20) * megabytes)
    return Response(packed, content_type="application/json", headers={"Content-Encoding": "gzip"})


def test_an_answer_that_unpacks_without_measure_is_not_read_to_its_end(server, account, monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "LARGEST_ANSWER", 1 << 20)
    monkeypatch.setattr(connection, "LARGEST_FILE", 2 << 20)
    server.faults["GetSubmissionLimits"] = [bomb(60)]
    tracemalloc.start()
    with pytest.raises(RunError, match="the limit of submissions: the answer has more than 1,048,576 bytes"):
        submissions_left(account)
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()
    server.faults["File"] = [bomb(60)]
    with pytest.raises(RunError, match="downloading the output: the answer has more than 2,097,152 bytes"):
        download_outputs({"x": "http://files.test/files/x"}, ["x"], tmp_path)
    assert (tmp_path / "x").stat().st_size <= 2 << 20


def test_an_output_that_is_too_large_is_not_kept_up_with(server, account, monkeypatch, tmp_path):
    monkeypatch.setattr(calls, "LARGEST_OUTPUT", 2500)
    server.outputs = dict.fromkeys("abcdef", bytes(1000))
    with pytest.raises(RunError, match="the output has more than 2,500 bytes"):
        download_outputs({name: f"http://files.test/files/{name}" for name in "abcdef"}, "abcdef", tmp_path)
    assert server.calls.count("File") == 3


def test_a_list_without_end_is_left(server, account, monkeypatch):
    monkeypatch.setattr(calls, "MOST_PAGES", 5)
    server.faults["ListSubmissions"] = [reply({"nextPageToken": "on and on"})] * 20
    with pytest.raises(RunError, match="list does not end after 5 pages"):
        list(submissions(account))
    assert server.calls.count("ListSubmissions") == 5


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.SSLError("[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed"),
        requests.ReadTimeout("SOCKSHTTPSConnectionPool(host='www.kaggle.com', port=443): Read timed out."),
    ],
)
def test_a_connection_that_broke_in_the_middle_tells_nothing_of_what_arrived(error):
    with pytest.raises(NoAnswerError, match="pushing: no answer from Kaggle"), explained("pushing", {}):
        raise error
