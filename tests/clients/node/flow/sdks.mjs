// The TypeScript SDKs, both versions: nothing but the URL is given. Each discovers, registers, sends the person to
// sign in, redeems, calls, renews, and asks for more where a call needs it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as Http1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError as Unauthorized1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client as Client2, StreamableHTTPClientTransport as Http2, UnauthorizedError as Unauthorized2 } from "@modelcontextprotocol/client";
import { answered, endpoint, landing, names, plan, withPerson } from "./flow.mjs";

/** Keeps what an SDK is given, as a client of one server does. */
class Provider {
  asked = [];
  saved = 0;
  constructor(redirect) { this.redirect = redirect; }
  get redirectUrl() { return this.redirect; }
  get clientMetadata() {
    return {
      client_name: "Portcullis tests", redirect_uris: [this.redirect], token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], application_type: "native",
    };
  }
  state() { return (this.lastState = randomUUID()); }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; this.saved += 1; }
  redirectToAuthorization(url) { this.asked.push(url); }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
}

async function flow(person, sdk) {
  const { uri, close } = await landing();
  const provider = new Provider(uri);
  const transport = () => sdk.transport(new URL(endpoint), provider);
  const signIn = async (transport) => {
    const url = provider.asked.at(-1);
    assert.equal(url.searchParams.get("resource"), endpoint);
    assert.equal(url.searchParams.get("code_challenge_method"), "S256");
    await sdk.finish(transport, answered(await person.decide(url), provider.lastState));
  };
  try {
    const first = transport();
    await assert.rejects(sdk.client().connect(first), sdk.Unauthorized);
    await signIn(first);
    assert.deepEqual(provider.kept.scope.split(" ").sort(), plan.scopes, "the baseline is what is granted");

    let client = sdk.client();
    let used = transport();
    await client.connect(used);
    assert.deepEqual(names((await client.listTools()).tools), plan.tools);
    const called = await sdk.call(client, plan.call);
    assert.equal(called.content[0].text, plan.call.text);

    if (provider.kept.refresh_token) {
      // As one that has ended.
      const before = { ...provider.kept };
      provider.kept = { ...before, access_token: `${before.access_token}x` };
      assert.deepEqual(names((await client.listTools()).tools), plan.tools);
      assert.notEqual(provider.kept.refresh_token, before.refresh_token, "a refresh token is used once");
      assert.equal(provider.asked.length, 1, "nobody is asked again");
    } else {
      assert.fail("no refresh token was given");
    }

    // What the baseline does not open. One that has a refresh token only renews, which widens nothing.
    if (sdk.renewsOnly) provider.kept = { ...provider.kept, refresh_token: undefined };
    await assert.rejects(sdk.call(client, plan.more.call), sdk.Unauthorized);
    const more = provider.asked.at(-1);
    assert.equal(provider.asked.length, 2);
    for (const scope of plan.more.scopes) assert.ok(more.searchParams.get("scope").split(" ").includes(scope), `${more}`);
    await signIn(used);
    assert.equal((await sdk.call(client, plan.more.call)).content[0].text, plan.more.call.text);
    await client.close();
  } finally {
    close();
  }
}

const about = { name: "portcullis-tests", version: "1" };
const second = (mode) => ({
  client: () => new Client2(about, { versionNegotiation: { mode } }),
  transport: (url, authProvider) => new Http2(url, { authProvider }),
  finish: (transport, answer) => transport.finishAuth(answer),
  call: (client, { tool, arguments: given }) => client.callTool({ name: tool, arguments: given }),
  Unauthorized: Unauthorized2,
});
const sdks = {
  "sdk 1": {
    client: () => new Client1(about),
    transport: (url, authProvider) => new Http1(url, { authProvider }),
    finish: (transport, answer) => transport.finishAuth(answer.get("code")),
    call: (client, { tool, arguments: given }) => client.callTool({ name: tool, arguments: given }),
    Unauthorized: Unauthorized1,
    renewsOnly: true,
  },
  "client 2, legacy": second("legacy"),
  "client 2, auto": second("auto"),
};

await withPerson(async (person) => {
  for (const [name, sdk] of Object.entries(sdks)) {
    console.log(name);
    await flow(person, sdk);
  }
});
