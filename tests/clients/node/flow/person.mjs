// The person at the browser: opens the page that a client names, signs in with the owner's link, allows what is
// asked, and lets the browser go where it is sent. Chromium does all of it, without scripts on the pages.
//
//   node person.mjs PLAN URL     does it once, and prints where the browser ended up
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export class Person {
  #plan;
  #browser;
  #context;

  /** `plan` is `{chromium, login: {command, cwd}}`. */
  static async at(plan) {
    const person = new Person();
    person.#plan = plan;
    person.#browser = await chromium.launch({ executablePath: plan.chromium, args: ["--no-sandbox"] });
    // Nothing on the pages needs it.
    person.#context = await person.#browser.newContext({ javaScriptEnabled: false });
    person.#context.setDefaultTimeout(30_000);
    return person;
  }

  async leave() {
    await this.#browser.close();
  }

  /** A link that signs the owner in. */
  async #link() {
    const { command: [program, ...rest], cwd } = this.#plan.login;
    const { stdout } = await promisify(execFile)(program, rest, { cwd });
    return stdout.trim();
  }

  /**
   * Decides about what a client asks for, and answers the URL that the browser is sent to with the answer.
   * `without` names scopes that are not granted; `deny` says no to all.
   */
  async decide(url, { deny = false, without = [] } = {}) {
    const back = new URL(new URL(url).searchParams.get("redirect_uri"));
    const page = await this.#context.newPage();
    const said = [];
    page.on("console", (message) => { if (message.type() === "error") said.push(message.text()); });
    // What the client's own page is like is no matter of ours; whether somebody listens there, neither.
    const sent = new Promise((resolve) => page.on("request", (request) => {
      const to = new URL(request.url());
      if (request.isNavigationRequest() && to.origin === back.origin && to.pathname === back.pathname) resolve(to.href);
    }));
    await page.goto(String(url));
    if (new URL(page.url()).pathname.startsWith("/login")) {
      await page.goto(await this.#link());
      await page.locator("form[action='/login/link'] button").click();
    }
    assert.equal(await page.locator("form.decision").count(), 1, `where to decide: ${await page.content()}`);
    for (const scope of without) await page.locator(`input[name=scope][value="${scope}"]`).uncheck();
    assert.deepEqual(said, [], "what the pages complain of");
    // A client may end, or answer nothing, once it has its code.
    await page.locator(`button[name=decision][value=${deny ? "deny" : "allow"}]`).click({ noWaitAfter: true });
    if (deny) await page.locator(`a[href^="${back.origin}${back.pathname}"]`).click({ noWaitAfter: true });
    await sent;
    await page.waitForLoadState("load").catch(() => {});
    await page.close();
    return await sent;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , planFile, url] = process.argv;
  const person = await Person.at(JSON.parse(readFileSync(planFile, "utf8")));
  try {
    console.log(await person.decide(url));
  } finally {
    await person.leave();
  }
}
