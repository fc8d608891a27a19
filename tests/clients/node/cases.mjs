// What every client of every SDK must find, whatever its way of connecting: `../cases.json`.
//
// A driver hands over `open(url, bearer, fetch)`, which connects and answers a client, and `reason(error)`,
// which answers `{code}` of a JSON-RPC error or `{status}` of an HTTP refusal. A driver that is `bridged` sees
// no HTTP: its reasons are `{code, scopes}` alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));

/** A `fetch` that keeps the status and challenge of every answer that is no success. */
function watching() {
  const refusals = [];
  const watched = async (input, init) => {
    const response = await fetch(input, init);
    // A client may ask for a stream that is not offered (405); that is no refusal.
    if (response.status >= 400 && response.status !== 405) {
      refusals.push({ status: response.status, challenge: response.headers.get("www-authenticate") });
    }
    return response;
  };
  return { refusals, fetch: watched };
}

async function failure(promise, what) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail(`${what} went well`);
}

const sorted = (names) => [...names].sort();

async function session(driver, expected) {
  const { refusals, fetch } = watching();
  const client = await driver.open(plan.url + expected.path, expected.bearer, fetch);
  try {
    refusals.length = 0;
    const { tools } = await client.listTools();
    assert.deepEqual(sorted(tools.map((tool) => tool.name)), sorted(expected.tools), "tools");
    const declared = client.getServerCapabilities();
    for (const kind of ["prompts", "resources"].filter((kind) => expected[kind])) {
      assert.ok(declared[kind], `${kind} are declared`);
    }
    for (const kind of expected.undeclared ?? []) {
      assert.equal(declared[kind], undefined, `${kind} are not declared`);
    }
    if (expected.prompts) {
      const { prompts } = await client.listPrompts();
      assert.deepEqual(sorted(prompts.map((prompt) => prompt.name)), sorted(expected.prompts), "prompts");
    }
    if (expected.resources) {
      const { resources } = await client.listResources();
      assert.deepEqual(sorted(resources.map((resource) => resource.uri)), sorted(expected.resources), "resources");
    }
    for (const call of expected.calls ?? []) {
      const heard = [];
      const onprogress = call.progress && (({ progress, total }) => heard.push([progress, total]));
      const result = await driver.call(client, { name: call.tool, arguments: call.arguments }, { onprogress });
      assert.equal(result.content[0].text, call.text, call.tool);
      assert.ok(!result.isError, call.tool);
      const told = call.progress ?? [];
      if (driver.bridged) {
        // Over stdio the SDKs forget who listens before they hand on what arrived in one piece with the answer;
        // `connect::gateway` holds that all of it is said.
        assert.deepEqual(heard, told.slice(0, heard.length), `progress of ${call.tool}`);
      } else {
        assert.deepEqual(heard, told, `progress of ${call.tool}`);
      }
    }
    for (const name of expected.hidden ?? []) {
      const error = await failure(driver.call(client, { name, arguments: {} }, {}), name);
      assert.equal(driver.reason(error).code, -32602, `${name}: ${error}`);
    }
    for (const { tool: name, scopes } of expected.short ?? []) {
      refusals.length = 0;
      const error = await failure(driver.call(client, { name, arguments: {} }, {}), name);
      if (driver.bridged) {
        assert.deepEqual(driver.reason(error), { code: -31002, scopes }, `${name}: ${error}`);
        continue;
      }
      assert.equal(driver.reason(error).status, 403, `${name}: ${error}`);
      const [refusal] = refusals;
      assert.match(refusal.challenge, /^Bearer error="insufficient_scope", /, name);
      assert.ok(refusal.challenge.includes(` scope="${scopes.join(" ")}", `), `${name}: ${refusal.challenge}`);
    }
    for (const { uri, text } of expected.reads ?? []) {
      const { contents } = await client.readResource({ uri });
      assert.equal(contents[0].text, text, uri);
    }
    for (const uri of expected.unreadable ?? []) {
      const error = await failure(client.readResource({ uri }), uri);
      assert.ok([-32602, -32002].includes(driver.reason(error).code), `${uri}: ${error}`);
    }
    for (const { prompt: name, arguments: given, text } of expected.gets ?? []) {
      const { messages } = await client.getPrompt({ name, arguments: given });
      assert.equal(messages[0].content.text, text, name);
    }
  } finally {
    await client.close();
  }
}

async function turnedAway(driver, { path, bearer, status, challenge }) {
  const { refusals, fetch } = watching();
  await failure(
    driver.open(plan.url + path, bearer, fetch).then((client) => client.listTools()),
    `connecting to ${path}`,
  );
  if (driver.bridged) return;
  assert.equal(refusals[0]?.status, status, path);
  assert.equal(refusals[0].challenge, challenge ?? null, path);
}

/** Runs every case with every driver; the first that fails ends it. */
export async function run(drivers) {
  for (const [name, driver] of Object.entries(drivers)) {
    for (const expected of plan.sessions) {
      console.log(`${name}: ${expected.path} with ${expected.scopes.join(" ")}`);
      await session(driver, expected);
    }
    // Without a token the bridge has a person sign in, as `flow` shows.
    const turned = plan.turned_away.filter(({ bearer }) => bearer || !driver.bridged);
    for (const expected of turned) {
      console.log(`${name}: ${expected.path} is answered ${expected.status}`);
      await turnedAway(driver, expected);
    }
  }
  console.log(`${Object.keys(drivers).length} drivers, ${plan.sessions.length} sessions each`);
}
