// `oauth4webapi` and `openid-client` with every check on: metadata, answers and errors are read to the letter.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { answered, endpoint, landing, listed, plan, withPerson } from "./flow.mjs";

// Plain HTTP, on this machine: the one thing that is let pass.
const insecure = { [oauth.allowInsecureRequests]: true };

async function byOauth4webapi(person) {
  const { uri, close } = await landing();
  const resource = new URL(endpoint);
  const described = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, insecure));
  assert.deepEqual(described.authorization_servers, [plan.url]);
  const issuer = new URL(plan.url);
  let server;
  for (const algorithm of ["oauth2", "oidc"]) {
    // Both places say the same.
    const found = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...insecure }));
    if (server) assert.deepEqual(found, server);
    server = found;
  }
  assert.ok(server.authorization_response_iss_parameter_supported);
  const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(server, {
    client_name: "Strict", redirect_uris: [uri], token_endpoint_auth_method: "none", application_type: "native",
    grant_types: ["authorization_code", "refresh_token"], response_types: ["code"],
  }, insecure));

  const ask = async (decision, scope) => {
    const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
    const url = new URL(server.authorization_endpoint);
    const parameters = {
      client_id: client.client_id, redirect_uri: uri, response_type: "code", scope, state, resource: endpoint,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return { verifier, state, at: new URL(await person.decide(url, decision)) };
  };
  const all = [...plan.scopes, ...plan.more.scopes];
  const { verifier, state, at } = await ask({ without: plan.more.scopes }, `${all.join(" ")} offline_access`);
  answered(at, state);
  const parameters = oauth.validateAuthResponse(server, client, at, state);
  const redeem = () => oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, uri, verifier, {
    additionalParameters: { resource: endpoint }, ...insecure,
  });
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem());
  assert.equal(tokens.scope, plan.scopes.join(" "), "what was unticked is not granted");
  assert.deepEqual(await listed(tokens.access_token), plan.tools);

  const renew = (token) => oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, insecure);
  const renewed = await oauth.processRefreshTokenResponse(server, client, await renew(tokens.refresh_token));
  assert.notEqual(renewed.refresh_token, tokens.refresh_token);
  assert.deepEqual(await listed(renewed.access_token), plan.tools);
  // A challenge of a token that is none is read as RFC 6750 has it.
  const headers = new Headers({ "Content-Type": "application/json", Accept: "application/json, text/event-stream" });
  const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  const refused = await oauth.protectedResourceRequest("nonsense", "POST", resource, headers, ping, insecure).catch((error) => error);
  assert.ok(refused instanceof oauth.WWWAuthenticateChallengeError, `${refused}`);
  assert.equal(refused.cause[0].scheme, "bearer");
  assert.equal(refused.cause[0].parameters.error, "invalid_token");

  // A code is good once; its second use ends what it gave.
  const again = await oauth.processAuthorizationCodeResponse(server, client, await redeem()).catch((error) => error);
  assert.ok(again instanceof oauth.ResponseBodyError && again.error === "invalid_grant", `${again}`);
  assert.equal(await listed(renewed.access_token), 401);

  const denied = await ask({ deny: true }, plan.scopes.join(" "));
  const error = await Promise.resolve().then(() => oauth.validateAuthResponse(server, client, denied.at, denied.state)).catch((error) => error);
  assert.ok(error instanceof oauth.AuthorizationResponseError && error.error === "access_denied", `${error}`);
  close();
}

async function byOpenidClient(person) {
  const { uri, close } = await landing();
  const execute = [openid.allowInsecureRequests];
  const metadata = { client_name: "Certified", redirect_uris: [uri], application_type: "native" };
  // A client with a secret of its own.
  const config = await openid.dynamicClientRegistration(new URL(plan.url), {
    ...metadata, token_endpoint_auth_method: "client_secret_basic", grant_types: ["authorization_code", "refresh_token"],
  }, openid.ClientSecretBasic(), { execute, algorithm: "oauth2" });
  const [verifier, state] = [openid.randomPKCECodeVerifier(), openid.randomState()];
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: uri, scope: `${plan.scopes.join(" ")} offline_access`, state, resource: endpoint,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const at = new URL(await person.decide(url));
  const tokens = await openid.authorizationCodeGrant(config, at, { pkceCodeVerifier: verifier, expectedState: state }, { resource: endpoint });
  assert.deepEqual(await listed(tokens.access_token), plan.tools);
  const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token, { resource: endpoint });
  assert.deepEqual(await listed(renewed.access_token), plan.tools);
  assert.equal((await openid.tokenIntrospection(config, renewed.access_token)).active, true);
  await openid.tokenRevocation(config, renewed.refresh_token);
  assert.equal(await listed(renewed.access_token), 401);
  assert.equal((await openid.tokenIntrospection(config, renewed.access_token)).active, false);
  await assert.rejects(openid.refreshTokenGrant(config, renewed.refresh_token), (error) => error.error === "invalid_grant");
  close();
}

await withPerson(async (person) => {
  await byOauth4webapi(person);
  await byOpenidClient(person);
});
