"""Kaggle as the tests know it: a loopback server that speaks to the real client, and runs pushed kernels for real.

The client is sent here by KAGGLE_API_ENVIRONMENT=LOCALHOST and http_proxy: whatever host it asks for by http, it asks
this server.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from base64 import b64encode
from collections import defaultdict
from pathlib import Path

import pandas as pd
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

USER, KEY, TOKEN = "ada", "c0ffee-not-to-be-seen", "KGAT_c0ffee-not-to-be-seen-either"
KERNEL = f"{USER}/digit-recognizer-relu-vs-swish"
MODIFIED = "Tue, 03 Feb 2026 10:00:00 GMT"


class After(int):
    """A fault with this status, given after the request was carried out."""


class KaggleServer:
    """State and RPCs.

    `faults` holds, by RPC, what comes before the sound answers: a response, a status, "slow", or a function that
    changes the sound response after the request was carried out.
    """

    def __init__(self, folder: Path, data: Path, truth):
        self.folder, self.truth = folder, list(truth)
        self.faults = defaultdict(list)
        self.calls = []
        self.requests = []
        self.ranges = []  # of files, that were asked for
        self.runs_kernels = True
        self.kernel = None  # the latest SaveKernel request
        self.version = 0
        self.process = None
        self.status = None  # overrides the process's
        self.head, self.log = "", ""  # what it printed: first which bundle it is, unless it really runs, then more
        self.outputs = {}
        self.uploads, self.submissions = {}, []
        self.left = 5
        self.input = folder / "kaggle" / "input"
        (self.input / "competitions").mkdir(parents=True)
        (self.input / "competitions" / "digit-recognizer").symlink_to(data)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as content:
            for path in sorted(data.glob("*.csv")):
                content.write(path, path.name)
        self.archive = stream.getvalue()
        self.http = HTTPServer(host="127.0.0.1", port=0, threaded=True)
        self.http.expect_request(re.compile(".*")).respond_with_handler(self.answer)

    def __enter__(self):
        self.http.start()
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
        self.http.clear()
        self.http.stop()

    def environment(self, home):
        """What a process needs in order to find this server, and nothing else."""
        cleared = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("KAGGLE_")}
        return cleared | {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.http.port}",
            "https_proxy": "http://127.0.0.1:9",
            "HOME": str(home),
            "KAGGLE_CONFIG_DIR": str(home),
            "KAGGLE_USERNAME": USER,
            "KAGGLE_KEY": KEY,
        }

    def answer(self, request: Request) -> Response:
        name = self.name_of(request)
        self.calls.append(name)
        self.requests.append((name, request.get_json(silent=True)))
        fault = self.faults[name].pop(0) if self.faults[name] else None
        if isinstance(fault, Response):
            return fault
        if fault == "slow":
            time.sleep(1.5)
        if isinstance(fault, int) and not isinstance(fault, After):
            return refusal(fault)
        if request.method == "POST" and name != "IntrospectToken":
            accepted = ("Basic " + b64encode(f"{USER}:{KEY}".encode()).decode(), f"Bearer {TOKEN}")
            if request.headers.get("Authorization") not in accepted:
                return refusal(401, "Unauthenticated")
        elif name in ("File", "Upload") and "Authorization" in request.headers:
            return refusal(400, "the credentials went to an address that is not Kaggle's")
        response = getattr(self, name)(request)
        if callable(fault):
            return fault(response)
        return refusal(fault) if isinstance(fault, After) else response

    def name_of(self, request):
        if "/logs/stream/" in request.path:
            return "Logs"
        if request.path.startswith("/files/"):
            return "File"
        return "Upload" if request.method == "PUT" else request.path.rsplit("/", 1)[1]

    def IntrospectToken(self, request):  # noqa: N802
        return reply({"active": True, "username": USER} if request.get_json()["token"] == TOKEN else {})

    # Kernels

    def SaveKernel(self, request):  # noqa: N802
        self.kernel = request.get_json()
        self.version += 1
        if self.runs_kernels:
            self.start()
        elif identity := re.search("^IDENTITY = (.*)$", self.kernel["text"], re.MULTILINE):
            self.head = f"bundle: {identity[1]}\n"
        reference = f"/code/{self.kernel['slug']}"
        return reply({"ref": reference, "url": reference, "versionNumber": self.version})

    def start(self):
        """Run the pushed text as Kaggle does: a script, in an empty folder, with the data where Kaggle has it."""
        text = self.kernel["text"]
        assert text.count('Path("/kaggle/input")') == 1
        text = text.replace("/kaggle/input", str(self.input))  # the one liberty taken: tests have no /kaggle
        source = self.folder / f"src{self.version}"
        working = self.folder / f"working{self.version}"
        source.mkdir()
        working.mkdir()
        (source / "script.py").write_text(text)
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KAGGLE_KEY")}
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(source / "script.py")],
            cwd=working,
            env=environment | {"KAGGLE_KERNEL_RUN_TYPE": "Batch"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log = ""
        threading.Thread(target=self.collect, args=(self.process, working), daemon=True).start()

    def collect(self, process, working):
        for line in process.stdout:
            self.log += line
        process.wait()
        for path in sorted(working.rglob("*")):
            if path.is_file():
                self.outputs[path.relative_to(working).as_posix()] = path.read_bytes()
        self.status = "COMPLETE" if process.returncode == 0 else "ERROR"

    def leave_output(self, pushed, names="abcdefghijk", also=None, **changes):
        """Have the output of that push, complete, with `also` more files; `changes` are to its receipt."""
        files = {f"runs/tiny/{name}": f"content of {name}\n".encode() * 50 for name in names}
        files["runs/tiny/comparison.json"] = b"{}"
        files |= {f"runs/tiny/{name}": content for name, content in (also or {}).items()}
        hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        ids = {"bundle_sha256": pushed.bundle_sha256}
        receipt = ids | {"folder": "runs/tiny", "sha256": hashes} | changes
        self.outputs = files | {"kernel.json": json.dumps(receipt).encode(), "other.txt": b"not ours"}
        self.status, self.log = "COMPLETE", "epoch 1\nepoch 2\n"

    def GetKernelSessionStatus(self, request):  # noqa: N802
        status = self.status or ("RUNNING" if self.process else "QUEUED")
        return reply({"status": status} | ({"failureMessage": "it broke"} if status == "ERROR" else {}))

    def Logs(self, _):  # noqa: N802
        def events():
            sent = 0
            for _ in range(2000):
                ended = self.status in ("COMPLETE", "ERROR")
                for line in (self.head + self.log)[sent:].splitlines(keepends=True):
                    sent += len(line)
                    yield f"data: {json.dumps({'stream_name': 'stdout', 'data': line})}\n\n"
                if ended:
                    break
                time.sleep(0.05)
            yield "data: END_OF_LOG\n\n"

        return Response(events(), content_type="text/event-stream")

    def ListKernelSessionOutput(self, request):  # noqa: N802
        names = sorted(self.outputs)
        start = int(request.get_json().get("pageToken") or 0)
        page = names[start : start + 7]  # small pages, so that there are several
        more = {"nextPageToken": str(start + 7)} if start + 7 < len(names) else {}
        files = [{"fileName": n, "url": f"http://files.test/files/{n}?signature=s3cret"} for n in page]
        return reply({"files": files, "log": json.dumps([{"data": self.head + self.log}])} | more)

    def GetKernel(self, _):  # noqa: N802
        return reply({"blob": {"source": self.kernel["text"]}, "metadata": {"currentVersionNumber": self.version}})

    def DownloadKernelOutput(self, request):  # noqa: N802
        asked = request.get_json()
        if asked["versionNumber"] != self.version or asked["filePath"] not in self.outputs:
            return refusal(404)
        return redirect(f"http://files.test/files/{asked['filePath']}")

    def File(self, request):  # noqa: N802
        name = request.path.removeprefix("/files/")
        content = self.archive if name == "digit-recognizer.zip" else self.outputs[name]
        headers = {"Accept-Ranges": "bytes", "Last-Modified": MODIFIED, "ETag": '"1"'}
        if asked := request.headers.get("Range"):
            self.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Response(content[start:], status=206, headers=headers)
        return Response(content, headers=headers)

    # Competition

    def DownloadDataFiles(self, _):  # noqa: N802
        return redirect("http://files.test/files/digit-recognizer.zip")

    def GetSubmissionLimits(self, _):  # noqa: N802
        return reply({"numAllowedNow": self.left, "numToday": 5 - self.left})

    def StartSubmissionUpload(self, _):  # noqa: N802
        token = f"token{len(self.uploads)}"
        return reply({"token": token, "createUrl": f"http://blobs.test/upload/{token}?signature=s3cret"})

    def Upload(self, request):  # noqa: N802
        self.uploads[request.path.rsplit("/", 1)[1]] = request.get_data()
        return Response()

    def CreateSubmission(self, request):  # noqa: N802
        asked = request.get_json()
        return self.submitted(self.uploads[asked["blobFileTokens"]], asked["submissionDescription"])

    def CreateCodeSubmission(self, request):  # noqa: N802
        asked = request.get_json()
        return self.submitted(self.outputs[asked["fileName"]], asked["submissionDescription"])

    def submitted(self, content, description):
        self.left -= 1
        table = pd.read_csv(io.BytesIO(content))
        entry = {"ref": len(self.submissions) + 1, "description": description, "date": "2026-11-23T10:00:00.0Z"}
        if len(table) == len(self.truth):
            score = (table["Label"].to_numpy() == self.truth).mean()
            entry |= {"status": "COMPLETE", "publicScore": f"{score:.5f}"}
        else:
            entry |= {"status": "ERROR", "errorDescription": "Submission must have 30 rows"}
        self.submissions.insert(0, entry)
        return reply({"message": "Successfully submitted", "ref": entry["ref"]})

    def ListSubmissions(self, request):  # noqa: N802
        start = int(request.get_json().get("pageToken") or 0)
        more = {"nextPageToken": str(start + 7)} if start + 7 < len(self.submissions) else {}
        return reply({"submissions": self.submissions[start : start + 7]} | more)

    def GetCompetition(self, _):  # noqa: N802
        return reply({"userRank": 12, "teamCount": 1500})


def reply(content) -> Response:
    return Response(json.dumps(content), content_type="application/json")


def refusal(status, message="the server's own words", **headers) -> Response:
    content = json.dumps({"code": int(status), "message": message})
    return Response(content, status=int(status), content_type="application/json", headers=headers)


def redirect(url) -> Response:
    return Response(status=302, headers={"Location": url})


def cut_short(content=b"half") -> Response:
    """A transfer that breaks off."""
    response = Response(content)
    response.automatically_set_content_length = False
    response.headers["Content-Length"] = str(10 * len(content))
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = '"1"'
    return response
