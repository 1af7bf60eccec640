// A person who signs in to the issuer of `issuer.mjs` and agrees to what is asked, without a browser. By itself:
// `signed_in.mjs ISSUER CLIENT LOGIN` goes the way of a site with PKCE and prints the tokens that it is given.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { pathToFileURL } from "node:url";

/** Goes on from where a site sends a browser, and returns where the browser is sent back to. */
export async function signedIn(authorization, login) {
  const cookies = new Map();
  const origin = new URL(authorization).origin;
  let [url, form] = [new URL(authorization), undefined];
  for (let steps = 0; steps < 20; steps += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { method: form ? "POST" : "GET", body: form, headers: { cookie }, redirect: "manual" });
    for (const kept of answer.headers.getSetCookie()) {
      const [, name, value] = kept.match(/^([^=]+)=([^;]*)/);
      cookies.set(name, value);
    }
    form = undefined;
    const to = answer.headers.get("location");
    if (to) {
      url = new URL(to, url);
      if (url.origin !== origin) return url;
      continue;
    }
    const page = await answer.text();
    assert.equal(answer.status, 200, page);
    const prompt = page.match(/name="prompt" value="(\w+)"/)?.[1];
    assert.ok(prompt, page);
    form = new URLSearchParams({ prompt, login, password: "any" });
    url = new URL(page.match(/action="([^"]+)" method="post"/)[1], url);
  }
  throw new Error("it goes round in circles");
}

async function tokens(issuer, client, login) {
  const described = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const verifier = randomBytes(32).toString("base64url");
  const redirect = "http://127.0.0.1:9/signed-in";
  const authorization = new URL(described.authorization_endpoint);
  authorization.search = new URLSearchParams({
    client_id: client,
    response_type: "code",
    redirect_uri: redirect,
    scope: "openid email",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const back = await signedIn(authorization, login);
  assert.equal(`${back.origin}${back.pathname}`, redirect, String(back));
  assert.ok(back.searchParams.get("code"), String(back));
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: client,
    code: back.searchParams.get("code"),
    code_verifier: verifier,
    redirect_uri: redirect,
  });
  const answer = await fetch(described.token_endpoint, { method: "POST", body });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(JSON.stringify(await tokens(...process.argv.slice(2))));
}
