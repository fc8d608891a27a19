#!/usr/bin/env bash
# The wire under load and under a scanner: `bash tests/long/wire.sh PORTCULLIS`, a minute. Needs openssl;
# h2load (nghttp2-client) and sslyze where they are there, and says so where they are not.
set -euo pipefail

portcullis=$(realpath "$1")
folder=$(mktemp -d)
cd "$folder"
# shellcheck disable=SC2329 # called by the trap
finish() {
    if [[ -n ${gateway:-} ]] && kill "$gateway" 2>/dev/null; then wait "$gateway" || true; fi
    rm -rf "$folder"
}
trap finish EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>openssl.log || { cat openssl.log; exit 1; }
chmod 600 key.pem
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >portcullis.yaml <<YAML
version: 1
listen: {address: "127.0.0.1:$port", public_url: "https://localhost:$port", tls: {certificate: cert.pem, private_key: key.pem}}
tags: {clock: Tell the time}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
grants:
  - {to: {user: owner}, scopes: ["tag:clock"]}
YAML
"$portcullis" serve --log warn 2>serve.log &
gateway=$!
until grep -q 'listens on' serve.log; do
    kill -0 "$gateway" || { cat serve.log; exit 1; }
done
token=$("$portcullis" token issue --scopes tag:clock)
cat >call.json <<'JSON'
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"time__now","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"h2load","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}
JSON

# What is counted below by its status is a result, and no error in it.
python3 - "https://localhost:$port/mcp" "$token" <<'PYTHON'
import ssl, sys, urllib.request

fields = {"content-type": "application/json", "accept": "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "time__now",
          "authorization": "Bearer " + sys.argv[2]}
trusted = ssl.create_default_context(cafile="cert.pem")
request = urllib.request.Request(sys.argv[1], open("call.json", "rb").read(), fields)
answer = urllib.request.urlopen(request, context=trusted, timeout=20).read()
assert b'"result"' in answer, answer
PYTHON

if command -v h2load >/dev/null; then
    for options in "-n 3000 -c 20 -m 10" "-n 1000 -c 20 --h1"; do
        # shellcheck disable=SC2086 # options are words
        h2load $options -d call.json -H "authorization: Bearer $token" -H 'content-type: application/json' \
            -H 'accept: application/json, text/event-stream' -H 'mcp-protocol-version: 2026-07-28' \
            -H 'mcp-method: tools/call' -H 'mcp-name: time__now' "https://localhost:$port/mcp" >h2load.log
        echo "h2load $options: $(grep -E '^finished|^requests:' h2load.log | paste -sd' ')"
        grep -Eq ' 0 failed, 0 errored, 0 timeout' h2load.log || { cat h2load.log; exit 1; }
        wanted=$(sed -nE 's/^requests: ([0-9]+) total.*/\1/p' h2load.log)
        grep -q "status codes: $wanted 2xx" h2load.log || { cat h2load.log; exit 1; }
    done
else
    echo 'SKIPPED: h2load is not there (apt-get install nghttp2-client)'
fi

if command -v sslyze >/dev/null; then
    sslyze --sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --reneg --heartbleed --openssl_ccs --fallback --compression \
        --robot --early_data --json_out sslyze.json "localhost:$port" >sslyze.log || { cat sslyze.log; exit 1; }
    python3 - <<'PYTHON'
import json

result = json.load(open("sslyze.json"))["server_scan_results"][0]["scan_result"]
suites = {}
for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"):
    accepted = result[f"{version}_cipher_suites"]["result"]["accepted_cipher_suites"]
    suites[version] = sorted(suite["cipher_suite"]["name"] for suite in accepted)
for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"):
    assert not suites[version], (version, suites[version])
for version in ("tls_1_2", "tls_1_3"):
    assert suites[version], version
    # Forward secrecy and authenticated encryption alone.
    bad = [name for name in suites[version] if "CBC" in name or "_RSA_WITH" in name.replace("ECDHE_RSA_WITH", "")]
    assert not bad, bad
assert not result["heartbleed"]["result"]["is_vulnerable_to_heartbleed"]
assert not result["openssl_ccs_injection"]["result"]["is_vulnerable_to_ccs_injection"]
assert not result["session_renegotiation"]["result"]["is_vulnerable_to_client_renegotiation_dos"]
assert not result["tls_compression"]["result"]["supports_compression"]
assert not result["tls_1_3_early_data"]["result"]["supports_early_data"]
assert "NOT_VULNERABLE" in result["robot"]["result"]["robot_result"]
print("sslyze:", "; ".join(f"{version}: {', '.join(names) or 'none'}" for version, names in suites.items()))
PYTHON
else
    echo 'SKIPPED: sslyze is not there (pip install sslyze)'
fi

kill "$gateway"
wait "$gateway"
gateway=
