#!/usr/bin/env bash
# Runs the public MCP conformance suite against the fixture, directly or through the gateway.
#
#   run.sh REVISION direct                      the fixture alone: whether the fixture keeps to its part
#   run.sh REVISION http|stdio [ENDPOINT]       through the gateway, which reaches the fixture that way
#   run.sh REVISION authorization               the authorization server: metadata, and a code for a token; the
#                                               person who signs in and allows it is Chromium
#
# REVISION is 2025-11-25 or 2026-07-28; ENDPOINT is /mcp/fixture (the default) or /mcp. In the environment:
#   FIXTURE_ERA=legacy|modern|dual   what the fixture speaks; by default what the revision does
#   SCENARIO=NAME                    this scenario alone, whether or not it is scored
#   NO_BUILD=1                       use the binaries as they are
#   RENAME=1                         at /mcp, the shim knows its names: what fails there without this and passes with it
#                                    fails because the suite says what a tool is called
# The exit status is the suite's own: 0 where every scored scenario passed. A file
# `expected/REVISION-TRANSPORT-ERA.yaml` beside this script names failures that are known, with reasons.
# What was said is kept in target/conformance/out/REVISION-TRANSPORT-ERA/.
#
# Rows that the runs show. `direct`, of the fixture: CF-02 (tools of both eras), CF-05 (the parameter with `x-mcp-header`;
# the tools of tasks are optional and not there), CF-06 (prompts), CF-07 (resources), CF-08 (completion). Through the
# gateway: CG-01 (ENDPOINT: one server under its bare names, or all of them), CG-06 (the header scenarios of 2026-07-28),
# CG-08 (the session scenarios of 2025-11-25), CG-09 (`configure`: one principal who may do everything, and `asks`).
set -euo pipefail

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

revision=${1-}; transport=${2-}; endpoint=${3-/mcp/fixture}
case $revision in
  2025-11-25) era=${FIXTURE_ERA:-legacy} ;;
  2026-07-28) era=${FIXTURE_ERA:-modern} ;;
  *) usage ;;
esac
case $transport in direct | http | stdio | authorization) ;; *) usage ;; esac
case $endpoint in /mcp | /mcp/fixture) ;; *) usage ;; esac

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
home=$root/target/conformance
name=$revision-$transport-$era
[[ $transport != authorization ]] || name=$revision-authorization
out=$home/out/$name
suite=0.2.0-alpha.12

work=$(mktemp -d)
started=()
cleanup() {
  status=$?
  # Each by its own id; whatever a process has started ends with it.
  for ((at = ${#started[@]} - 1; at >= 0; at--)); do
    kill "${started[at]}" 2>/dev/null || true
    wait "${started[at]}" 2>/dev/null || true
  done
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() { echo "run.sh: $1" >&2; [[ -n ${2-} && -s $2 ]] && tail -20 "$2" >&2; exit 2; }

# until_true PID LOG COMMAND…: waits for the command to succeed, for no longer than the process lives.
until_true() {
  local pid=$1 log=$2 tries=0
  shift 2
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "a process ended early" "$log"
    ((++tries < 600)) || fail "a process does not come up" "$log"
    sleep 0.05
  done
}

install() {
  mkdir -p "$home"
  exec {lock}>"$home/.lock"
  flock "$lock"
  local machine=x64
  [[ $(uname -m) != aarch64 ]] || machine=arm64
  # Node as the package of this machine: that needs no script of a package to run.
  local node=node-linux-$machine
  if ! grep -qs "\"version\": \"$suite\"" "$home/node_modules/@modelcontextprotocol/conformance/package.json" ||
    [[ ! -x $home/node_modules/$node/bin/node ]]; then
    (cd "$home" && npm init -y >/dev/null && npm install --no-audit --no-fund --ignore-scripts "$node@22.23.3" "@modelcontextprotocol/conformance@$suite" >&2)
  fi
  exec {lock}>&-
  export PATH=$home/node_modules/$node/bin:$home/node_modules/.bin:$PATH
}

build() {
  local wanted=(--bin portcullis)
  [[ $transport == authorization ]] || wanted+=(--example fixture-upstream)
  [[ -n ${NO_BUILD-} ]] || (cd "$root" && cargo build --quiet "${wanted[@]}")
  portcullis=$root/target/debug/portcullis
  fixture=$root/target/debug/examples/fixture-upstream
}

free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }

start_fixture() {
  "$fixture" --era "$era" --http 0 --record "$out/received.jsonl" >"$work/fixture.url" 2>"$out/fixture.log" </dev/null &
  started+=($!)
  until_true $! "$out/fixture.log" test -s "$work/fixture.url"
  fixture_url=$(<"$work/fixture.url")
}

configure() {
  local reach
  case $transport in
    http) start_fixture; reach="http: {url: '$fixture_url'}" ;;
    stdio) reach="stdio: {command: ['$fixture', --era, $era, --record, '$out/received.jsonl']}" ;;
  esac
  {
    cat <<YAML
version: 1
listen: {address: 127.0.0.1:$gateway_port, public_url: 'http://127.0.0.1:$shim_port'}
oauth: {enabled: true}
tags: {fixture: Use the conformance fixture}
servers:
  fixture:
    tags: [fixture]
    $reach
YAML
    # Known since servers may ask callers.
    if grep -q '"asks"' "$root/schema/config.schema.json"; then echo '    asks: [elicitation, sampling, roots]'; fi
    cat <<YAML
grants:
  - {to: {user: owner}, scopes: ['tag:fixture']}
YAML
  } >"$work/portcullis.yaml"
}

# A gateway whose owner signs in, before a server of ours.
configure_authorization() {
  cat >"$work/portcullis.yaml" <<YAML
version: 1
listen: {address: 127.0.0.1:$gateway_port}
tags: {clock: Tell the time}
servers:
  time: {tags: [clock], stdio: {command: ['$portcullis', demo-server, time]}}
oauth:
  baseline: ['tag:clock']
  clients:
    conformance: {redirect_uris: ['http://127.0.0.1/callback']}
grants:
  - {to: {user: owner}, scopes: ['tag:clock']}
YAML
}

settle() {
  # A raw key: a passphrase would cost a third of a second at each start.
  export PORTCULLIS_ENCRYPTION_KEY=base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
  unset PORTCULLIS_CONFIG PORTCULLIS_ENV
  cd "$work"
}

serve() {
  "$portcullis" serve --log "${PORTCULLIS_LOG:-info}" >"$out/gateway.log" 2>&1 </dev/null &
  started+=($!)
  until_true $! "$out/gateway.log" curl --silent --fail --output /dev/null "http://127.0.0.1:$gateway_port/readyz"
}

# Waits until the suite names the page, and sends the person there.
decide() {
  local page='https?://[^[:space:]]*code_challenge=[^[:space:]]*'
  until_true "$1" "$out/suite.log" grep -Eq "$page" "$out/suite.log"
  local chromium
  chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || fail 'there is no Chromium'
  node -e 'console.log(JSON.stringify({chromium: process.argv[1], login: {command: [process.argv[2], "login"], cwd: process.argv[3]}}))' \
    "$chromium" "$portcullis" "$work" >"$work/plan.json"
  node "$root/tests/clients/node/flow/person.mjs" "$work/plan.json" "$(grep -Eo "$page" "$out/suite.log" | head -1)" >"$out/person.log" 2>&1 ||
    fail 'the person did not get to the end' "$out/person.log"
}

start_gateway() {
  settle
  SHIM_TOKEN=$("$portcullis" token issue --scopes tag:fixture --ttl 1h --resource "$url" 2>"$out/token.log") || fail "no token was issued" "$out/token.log"
  export SHIM_TOKEN
  if [[ -n ${RENAME-} && $endpoint == /mcp ]]; then export SHIM_PREFIX=fixture__; fi
  serve
  node "$here/shim.mjs" "$shim_port" "$gateway_port" >"$out/shim.log" 2>&1 </dev/null &
  started+=($!)
  until_true $! "$out/shim.log" grep -q listens "$out/shim.log"
}

install
build
rm -rf "$out"
mkdir -p "$out"
if [[ $transport == direct ]]; then
  start_fixture
  url=$fixture_url
elif [[ $transport == authorization ]]; then
  gateway_port=$(free_port)
  url=http://127.0.0.1:$gateway_port
  endpoint=/oauth
  configure_authorization
  settle
  serve
else
  gateway_port=$(free_port)
  shim_port=$(free_port)
  url=http://127.0.0.1:$shim_port$endpoint
  configure
  start_gateway
fi

arguments=(--requirements "$revision")
[[ -z ${SCENARIO-} ]] || arguments=(--scenario "$SCENARIO" --spec-version "$revision")
expected=$here/expected/$name.yaml
[[ ! -f $expected ]] || arguments+=(--expected-failures "$expected")
begun=$(date +%s%N)
status=0
if [[ $transport == authorization ]]; then
  arguments=(--client-id conformance --port "$(free_port)" --resource "$url/mcp" --spec-version "$revision")
  conformance authorization --url "$url" "${arguments[@]}" --output-dir "$out/results" >"$out/suite.log" 2>&1 </dev/null &
  suite_process=$!
  started+=("$suite_process")
  decide "$suite_process"
else
  conformance server --url "$url" "${arguments[@]}" --output-dir "$out/results" >"$out/suite.log" 2>&1 </dev/null &
  suite_process=$!
  started+=("$suite_process")
fi
# In the background, so that a signal is heeded at once.
wait "$suite_process" || status=$?
took=$((($(date +%s%N) - begun) / 1000000))
if grep -q '=== SUMMARY' "$out/suite.log"; then sed -n '/=== SUMMARY/,$p' "$out/suite.log"; else cat "$out/suite.log"; fi
echo "run.sh: $name at $endpoint ended with $status after $took ms; see ${out#"$root"/}"
exit "$status"
