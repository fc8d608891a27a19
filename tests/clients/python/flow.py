"""The Python SDK, in both eras, and `authlib`: nothing but the URL is given. The person at the browser is
`../node/flow/person.mjs`, and what must be found is in the plan, which `tests/integration/clients/flow.rs` writes."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata




def decide(plan, url):
    """Sends the person to a page; answers the URL that the browser ends at."""
    done = subprocess.run(
        [plan["node"], plan["person"], plan["file"], url], stdout=subprocess.PIPE, check=True, text=True, timeout=120
    )
    return done.stdout.strip()


class Storage:
    """What the SDK is given, kept in memory."""

    def __init__(self):
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Keeper:
    """A person that the SDK sends to the browser."""

    def __init__(self, plan):
        self.plan = plan
        self.asked = []

    async def go(self, url):
        self.asked.append(url)

    async def back(self):
        ended = await anyio.to_thread.run_sync(decide, self.plan, self.asked[-1])
        query = parse_qs(urlsplit(ended).query, strict_parsing=True)
        for name in ("code", "state", "iss"):
            assert len(query[name]) == 1, ended
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])


async def by_sdk(plan, mode):
    storage, person = Storage(), Keeper(plan)
    about = OAuthClientMetadata(
        client_name="Portcullis tests",
        redirect_uris=[plan["redirect"]],
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    endpoint = plan["url"] + "/mcp"

    async def session(work):
        auth = OAuthClientProvider(endpoint, about, storage, person.go, person.back)
        async with httpx2.AsyncClient(auth=auth, trust_env=False, timeout=120) as http:
            transport = streamable_http_client(endpoint, http_client=http)
            async with Client(transport, mode=mode, read_timeout_seconds=120) as client:
                await work(client)

    async def first(client):
        names = sorted(tool.name for tool in (await client.list_tools()).tools)
        assert names == plan["tools"], names
        called = await client.call_tool(plan["call"]["tool"], plan["call"]["arguments"])
        assert called.content[0].text == plan["call"]["text"], called

    await session(first)
    assert len(person.asked) == 1, person.asked
    before = storage.tokens
    assert sorted(before.scope.split()) == plan["scopes"] and before.refresh_token, "what is granted"

    async def more(client):
        # The call needs more than was granted: the person is asked for that besides.
        called = await client.call_tool(plan["more"]["call"]["tool"], plan["more"]["call"]["arguments"])
        assert called.content[0].text == plan["more"]["call"]["text"], called

    await session(more)
    assert len(person.asked) == 2, person.asked
    asked = parse_qs(urlsplit(person.asked[1]).query)["scope"][0].split()
    assert set(plan["more"]["scopes"]) <= set(asked), asked


def by_authlib(plan):
    endpoint = plan["url"] + "/mcp"
    described = requests.get(plan["url"] + "/.well-known/oauth-protected-resource/mcp", timeout=30).json()
    issuer = described["authorization_servers"][0]
    document = requests.get(issuer + "/.well-known/oauth-authorization-server", timeout=30).json()
    metadata = AuthorizationServerMetadata(document)
    # It wants `https` of every endpoint, which on this machine they are not; the rest it checks.
    for check in ("issuer", "response_types_supported", "grant_types_supported", "code_challenge_methods_supported"):
        if check != "issuer":
            getattr(metadata, "validate_" + check)()
    registered = requests.post(
        document["registration_endpoint"],
        json={
            "client_name": "Second opinion",
            "redirect_uris": [plan["redirect"]],
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "refresh_token"],
            "application_type": "native",
        },
        timeout=30,
    )
    assert registered.status_code == 201, registered.text
    client = registered.json()
    session = OAuth2Session(
        client["client_id"],
        client["client_secret"],
        token_endpoint_auth_method="client_secret_post",
        revocation_endpoint_auth_method="client_secret_post",
        redirect_uri=plan["redirect"],
        scope=" ".join(plan["scopes"] + ["offline_access"]),
        code_challenge_method="S256",
    )
    verifier = generate_token(64)
    url, state = session.create_authorization_url(
        document["authorization_endpoint"], code_verifier=verifier, resource=endpoint
    )
    ended = decide(plan, url)
    token = session.fetch_token(
        document["token_endpoint"], authorization_response=ended, state=state, code_verifier=verifier, resource=endpoint
    )
    assert token["token_type"] == "Bearer" and token["scope"].split() == plan["scopes"], token.keys()

    def status():
        modern = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        return session.post(
            endpoint,
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": modern}},
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "tools/list",
            },
            timeout=30,
        ).status_code

    assert status() == 200
    before = token["refresh_token"]
    token = session.refresh_token(document["token_endpoint"], refresh_token=before)
    assert token["refresh_token"] != before and status() == 200
    told = session.introspect_token(
        document["introspection_endpoint"], token=token["access_token"], token_type_hint="access_token"
    ).json()
    assert told["active"] is True and told["client_id"] == client["client_id"], told
    gone = session.revoke_token(document["revocation_endpoint"], token=token["refresh_token"])
    assert gone.status_code == 200 and status() == 401
    try:
        session.refresh_token(document["token_endpoint"], refresh_token=token["refresh_token"])
    except OAuthError as error:
        assert error.error == "invalid_grant", error
    else:
        raise AssertionError("a revoked token was renewed")


def main(plan):
    if plan["which"] == "authlib":
        by_authlib(plan)
    else:
        for mode in ("legacy", "auto"):
            print(mode, flush=True)
            anyio.run(by_sdk, plan, mode)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
