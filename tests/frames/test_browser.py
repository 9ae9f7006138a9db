"""The JavaScript decoder in a real browser, which decodes WebP and JPEG itself."""

from __future__ import annotations

import functools
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = "clients/js/test/browser.html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DECODERS = ("webcodecs", "canvas")


class Handler(SimpleHTTPRequestHandler):
    """Serves the repository and takes the page's report."""

    def __init__(self, *arguments: object, reports: queue.Queue[str], **options: object) -> None:
        self.reports = reports
        super().__init__(*arguments, directory=str(ROOT), **options)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reports.put(body.decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(reports: queue.Queue[str]) -> Iterator[str]:
    handler = functools.partial(Handler, reports=reports)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{PAGE}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_the_vectors_in_a_browser(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed: the decoder was not tested in a browser")
    if not (ROOT / "node_modules" / "fzstd").is_dir():
        pytest.skip("fzstd is missing; `make dev` installs it by `npm ci`")
    reports: queue.Queue[str] = queue.Queue()
    with served(reports) as page:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
        # It stays open, unlike one that is to print the page and may do so too early.
        command = [browser, *options, "--remote-debugging-port=0", page]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            lines = reports.get(timeout=45).splitlines()
        finally:
            process.terminate()
            process.wait(10)
    assert [line for line in lines if not line.startswith("ok ")] == []
    assert {line.split()[1] for line in lines} == set(DECODERS)
