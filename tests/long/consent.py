"""How long the page of consent takes where a scope opens 10, 100 and 1,000 tools of a server.

    python3 tests/long/consent.py target/release/portcullis target/release/examples/load

Both built with `--release`; the second serves the tools. Prints the median and the ninetieth of a hundred
requests on one connection, and the size of the page.
"""

import argparse
import http.client
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
import urllib.parse

from gateway import Gateway, free_port
from processes import until

SIZES = (10, 100, 1000)
CALLBACK = "http://127.0.0.1:9/cb"
CONFIGURATION = """version: 1
listen: {{address: '127.0.0.1:{port}'}}
tags: {{t10: Ten, t100: A hundred, t1000: A thousand}}
servers:
  s10: {{tags: [t10], http: {{url: 'http://127.0.0.1:{upstream}/10'}}}}
  s100: {{tags: [t100], http: {{url: 'http://127.0.0.1:{upstream}/100'}}}}
  s1000: {{tags: [t1000], http: {{url: 'http://127.0.0.1:{upstream}/1000'}}}}
grants:
  - {{to: {{user: owner}}, scopes: ['tag:t10', 'tag:t100', 'tag:t1000']}}
oauth:
  clients:
    desk: {{redirect_uris: ['http://127.0.0.1/cb']}}
"""


def hidden(page, name):
    return re.search(rf'name="{name}" value="([^"]*)"', page).group(1)


class Browser:
    def __init__(self, port):
        self.connection, self.cookies = http.client.HTTPConnection("127.0.0.1", port, timeout=30), {}

    def ask(self, method, path, fields=None):
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(fields)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        page = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, page


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateway")
    parser.add_argument("load")
    options = parser.parse_args()
    upstream = free_port()
    tools = subprocess.Popen([options.load, "upstream", f"127.0.0.1:{upstream}"], stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as directory:
        binary = str(pathlib.Path(options.gateway).resolve())
        gateway = Gateway(binary, pathlib.Path(directory), CONFIGURATION, upstream=upstream)
        try:
            gateway.start()
            browser = Browser(gateway.port)
            link = gateway.run("login")
            status, page = browser.ask("GET", link[link.index("/login/") :])
            assert status == 200, page
            status, page = browser.ask("POST", "/login/link", {name: hidden(page, name) for name in ("csrf", "link")})
            assert status == 303, page
            for size in SIZES:
                measure(browser, size)
        finally:
            gateway.process.terminate()
            gateway.process.wait()
            tools.terminate()
            tools.wait()


def measure(browser, size):
    query = {
        "response_type": "code",
        "client_id": "desk",
        "redirect_uri": CALLBACK,
        "state": "s",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "scope": f"tag:t{size}",
    }
    path = "/oauth/authorize?" + urllib.parse.urlencode(query)

    def shown():
        status, page = browser.ask("GET", path)
        assert status == 200, page
        return f"s{size}" in page and 'name="handle"' in page

    until("the tools", shown)
    times = []
    for _ in range(100):
        begun = time.perf_counter()
        status, page = browser.ask("GET", path)
        times.append((time.perf_counter() - begun) * 1000)
        assert status == 200
    times.sort()
    print(f"{size} tools: median {statistics.median(times):.2f} ms, ninetieth {times[89]:.2f} ms, {len(page)} bytes")


main()
