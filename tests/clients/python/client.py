"""The Python SDK: both eras, and the choice between them left to it, over HTTP and over stdio with
`portcullis connect` in between. The cases are `../cases.json`."""

import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

MODERN = "2026-07-28"
DRIVERS = {"legacy": "2025-11-25", "auto": MODERN, MODERN: MODERN}


@asynccontextmanager
async def bridged(binary, url, bearer, mode):
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["connect", url]
        if bearer:
            file = os.path.join(folder, "token")
            with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
                out.write(bearer)
            arguments += ["--token-file", file]
        server = stdio_client(StdioServerParameters(command=binary, args=arguments))
        async with Client(server, mode=mode, read_timeout_seconds=30) as client:
            yield client


def opened(bridge, url, bearer, mode, refusals):
    return bridged(bridge, url, bearer, mode) if bridge else direct(url, bearer, mode, refusals)


@asynccontextmanager
async def direct(url, bearer, mode, refusals):
    async def watch(response):
        # A client may ask for a stream that is not offered (405); that is no refusal.
        if response.status_code >= 400 and response.status_code != 405:
            refusals.append((response.status_code, response.headers.get("www-authenticate")))

    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with httpx2.AsyncClient(headers=headers, event_hooks={"response": [watch]}, trust_env=False) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode, read_timeout_seconds=30) as client:
            yield client


def same(found, expected, what):
    assert found == expected, f"{what}: {found!r}, not {expected!r}"


async def failure(work, what):
    try:
        await work
    except MCPError as error:
        return error
    raise AssertionError(f"{what} went well")


async def session(bridge, url, mode, expected):
    refusals = []
    async with opened(bridge, url + expected["path"], expected["bearer"], mode, refusals) as client:
        same(client.protocol_version, DRIVERS[mode], "protocol version")
        refusals.clear()
        tools = (await client.list_tools()).tools
        same(sorted(tool.name for tool in tools), sorted(expected["tools"]), "tools")
        if mode == MODERN:
            # Told which era it is, it does not ask what is declared.
            for kind in expected.get("undeclared", []):
                same((await failure(getattr(client, f"list_{kind}")(), kind)).code, -32601, kind)
            refusals.clear()
        else:
            for kind in ("prompts", "resources"):
                assert kind not in expected or getattr(client.server_capabilities, kind), f"{kind} are declared"
            for kind in expected.get("undeclared", []):
                same(getattr(client.server_capabilities, kind), None, f"the capability {kind}")
        if "prompts" in expected:
            prompts = (await client.list_prompts()).prompts
            same(sorted(prompt.name for prompt in prompts), sorted(expected["prompts"]), "prompts")
        if "resources" in expected:
            resources = (await client.list_resources()).resources
            same(sorted(str(resource.uri) for resource in resources), sorted(expected["resources"]), "resources")
        for call in expected.get("calls", []):
            heard = []

            async def progress(done, total, _message, heard=heard):
                heard.append([done, total])

            wanted = progress if "progress" in call else None
            result = await client.call_tool(call["tool"], call["arguments"], progress_callback=wanted)
            same((result.is_error or False, result.content[0].text), (False, call["text"]), call["tool"])
            same(heard, call.get("progress", []), f"progress of {call['tool']}")
        for tool in expected.get("hidden", []):
            same((await failure(client.call_tool(tool, {}), tool)).code, -32602, tool)
        same(refusals, [], "refusals so far")
        for short in expected.get("short", []):
            refusals.clear()
            error = await failure(client.call_tool(short["tool"], {}), short["tool"])
            if bridge:
                same((error.code, error.data["scopes"]), (-31002, short["scopes"]), short["tool"])
                continue
            status, challenge = refusals[0]
            same(status, 403, short["tool"])
            scopes = " ".join(short["scopes"])
            prefix = f'Bearer error="insufficient_scope", scope="{scopes}", resource_metadata="'
            assert challenge.startswith(prefix), f"{short['tool']}: {challenge}"
        for read in expected.get("reads", []):
            same((await client.read_resource(read["uri"])).contents[0].text, read["text"], read["uri"])
        for uri in expected.get("unreadable", []):
            code = (await failure(client.read_resource(uri), uri)).code
            assert code in (-32602, -32002), f"{uri}: {code}"
        for get in expected.get("gets", []):
            found = await client.get_prompt(get["prompt"], get["arguments"])
            same(found.messages[0].content.text, get["text"], get["prompt"])


async def turned_away(bridge, url, mode, expected):
    refusals = []
    try:
        async with opened(bridge, url + expected["path"], expected.get("bearer"), mode, refusals) as client:
            await client.list_tools()
    except* MCPError:
        if not bridge:
            same(refusals[0], (expected["status"], expected.get("challenge")), expected["path"])
    else:
        raise AssertionError(f"connecting to {expected['path']} went well")


async def main(plan):
    for bridge, mode in [(bridge, mode) for bridge in (None, plan["bridge"]) for mode in DRIVERS]:
        way = f"{mode}, bridged" if bridge else mode
        for expected in plan["sessions"]:
            print(f"{way}: {expected['path']} with {' '.join(expected['scopes'])}")
            await session(bridge, plan["url"], mode, expected)
        # Without a token the bridge has a person sign in, as `flow` shows.
        for expected in plan["turned_away"]:
            if bridge and not expected.get("bearer"):
                continue
            print(f"{way}: {expected['path']} is answered {expected['status']}")
            await turned_away(bridge, plan["url"], mode, expected)
    print(f"{len(DRIVERS)} drivers, {len(plan['sessions'])} sessions each")


if __name__ == "__main__":
    anyio.run(main, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
