"""Kills a loaded gateway at random moments, over and over, and holds it to its audit trail.

Whatever answer a client got in full, the trail must have: a decision that was taken before it and an
access record that was written before it left (design §5, §9). And no server may outlive its gateway.

    python3 tests/long/kill.py target/debug/portcullis --seconds 150 [--seed N]
"""

import argparse
import http.client
import json
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from gateway import Gateway
from processes import PATIENCE
from trail import records

CONFIGURATION = """\
version: 1
listen: {{address: "127.0.0.1:{port}"}}
tags: {{clock: Tell the time, notes: Read the notes}}
servers:
  time:
    tags: [clock]
    stdio: {{command: ["{binary}", demo-server, time]}}
  notes:
    tags: [notes]
    stdio: {{command: ["{binary}", demo-server, notes, --dir, ./notes]}}
    tools: {{delete_note: deny}}
grants:
  - {{to: {{user: owner}}, scopes: [tag:clock, tag:notes]}}
"""
WORKERS = 6
# What is asked: a method, its parameters, and the error that must come of it, if one must.
ASKED = [
    ("tools/call", {"name": "time__now", "arguments": {}}, None),
    ("tools/call", {"name": "notes__list_notes", "arguments": {}}, None),
    ("tools/call", {"name": "notes__write_note", "arguments": {"name": "n", "text": "t"}}, None),
    ("tools/call", {"name": "notes__delete_note", "arguments": {"name": "n"}}, -32602),
    ("tools/list", {}, None),
]


def work(port, token, name, stop, answered, wrong):
    """Asks one thing after the other until the gateway is gone, and keeps what was answered in full."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
    }
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    chance = random.Random(name)
    number = 0
    while not stop.is_set():
        number += 1
        ours = f"{name}-{number}"
        method, params, code = chance.choice(ASKED)
        body = json.dumps({"jsonrpc": "2.0", "id": ours, "method": method, "params": {**params, "_meta": meta}})
        named = {"Mcp-Method": method, **({"Mcp-Name": params["name"]} if "name" in params else {})}
        try:
            connection.request("POST", "/mcp", body, headers | named)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return
        answer = json.loads(text)
        found = answer.get("error", {}).get("code")
        if (response.status, answer["id"], found) != (200, ours, code):
            wrong.append(f"{ours}: {response.status} {text[:300]!r}")
        answered.append((ours, "deny" if code else "allow"))


def verify(trail, answered):
    decisions, accesses = {}, set()
    for record in records(trail):
        if record["type"] == "access":
            accesses.add(record["id"])
        elif record["type"] == "decision" and "rpc_id" in record.get("request", {}):
            decisions[record["request"]["rpc_id"].strip('"')] = (record["id"], record["decision"]["verdict"])
            if "response" in record:
                accesses.add(record["id"])
    for ours, verdict in answered:
        assert ours in decisions, f"{ours} was answered and has no decision"
        known, recorded = decisions[ours]
        assert recorded == verdict, f"{ours} was answered as {verdict} and recorded as {recorded}"
        assert known in accesses, f"{ours} was answered and has no access record"
    open_ended = sum(known not in accesses for known, _ in decisions.values())
    return len(decisions), open_ended


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=lambda text: str(Path(text).resolve(strict=True)))
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance = random.Random(options.seed)
    answered, wrong, rounds, servers = [], [], 0, 0
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(options.binary, Path(directory), CONFIGURATION)
        (gateway.directory / "notes").mkdir()
        try:
            gateway.start()
            token = gateway.run("token", "issue", "--scopes", "tag:clock,tag:notes", "--ttl", "1h")
            end = time.monotonic() + options.seconds
            while time.monotonic() < end:
                rounds += 1
                stop = threading.Event()
                arguments = (gateway.port, token)
                names = [f"{options.seed}-{rounds}-{worker}" for worker in range(WORKERS)]
                workers = [
                    threading.Thread(target=work, args=(*arguments, name, stop, answered, wrong)) for name in names
                ]
                for worker in workers:
                    worker.start()
                # Any moment will do, from before the first answer to well into the load.
                time.sleep(chance.choice([0.02, 0.3, 1.5]) * chance.random())
                status, ended = gateway.end(signal.SIGKILL)
                assert status == -signal.SIGKILL, f"the gateway had ended by itself: {status}"
                servers += ended
                stop.set()
                for worker in workers:
                    worker.join()
                gateway.start()
            status, _ = gateway.end(signal.SIGTERM)
            assert status == 0, f"told to stop, the gateway ended with {status}"
            assert not wrong, "\n".join(wrong[:10])
            assert answered, "nothing was answered"
            decisions, open_ended = verify(gateway.trail, answered)
        except BaseException:
            if gateway.process and gateway.process.poll() is None:
                gateway.process.kill()
            sys.stderr.write(gateway.log_file.read_text(encoding="utf-8", errors="replace")[-8000:])
            raise
    print(
        f"killed {rounds} times with {servers} servers, none of which was left; "
        f"{len(answered)} answers, each with its decision and access; "
        f"{decisions} decisions, {open_ended} of them without an outcome"
    )


if __name__ == "__main__":
    main()
