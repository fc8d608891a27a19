// The pages of the authorization server in a real browser: each golden file of `snapshots/page`, with the
// content policy that it is sent with, in light, dark and at phone width. Fails for what axe-core calls
// serious, for what the policy stops, for what is loaded from elsewhere, and for text that does not fit.
// Pictures go to the folder that the plan names.
import { readFileSync, readdirSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { chromium } from "playwright-core";

const [, , planFile] = process.argv;
const plan = JSON.parse(readFileSync(planFile, "utf8"));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const kinds = { ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };
const looks = [
  { name: "light", colorScheme: "light", viewport: { width: 1100, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1100, height: 900 } },
  { name: "phone", colorScheme: "light", viewport: { width: 390, height: 844 } },
];

const golden = (file) => readFileSync(join(plan.pages, file), "utf8").replace(/^---\n[^]*?\n---\n/, "");
const pages = readdirSync(plan.pages).filter((file) => file.endsWith(".snap")).sort();
if (pages.length === 0) throw new Error(`${plan.pages} holds no pages`);
mkdirSync(plan.pictures, { recursive: true });

const problems = [];
const browser = await chromium.launch({ executablePath: plan.chromium, args: ["--no-sandbox"] });
try {
  for (const look of looks) {
    const context = await browser.newContext({ colorScheme: look.colorScheme, viewport: look.viewport });
    for (const file of pages) {
      const name = basename(file, ".snap");
      const said = (what) => problems.push(`${name} (${look.name}): ${what}`);
      const page = await context.newPage();
      page.on("console", (message) => { if (message.type() === "error") said(message.text()); });
      page.on("dialog", (dialog) => { said(`script runs: ${dialog.message()}`); dialog.dismiss(); });
      await page.route("**/*", (route) => {
        const url = new URL(route.request().url());
        if (url.origin !== plan.origin) {
          said(`asks for ${url.href}`);
          return route.abort();
        }
        if (url.pathname === "/") {
          return route.fulfill({ contentType: "text/html; charset=utf-8", headers: plan.headers, body: golden(file) });
        }
        const asset = plan.assets[url.pathname];
        if (asset === undefined) {
          said(`asks for ${url.pathname}`);
          return route.fulfill({ status: 404 });
        }
        const kind = kinds[asset.slice(asset.lastIndexOf("."))];
        return route.fulfill({ contentType: kind, headers: plan.headers, body: readFileSync(asset) });
      });
      await page.goto(`${plan.origin}/`, { waitUntil: "load" });
      if (await page.evaluate(() => document.styleSheets.length) !== 1) said("has no stylesheet");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) said(`is ${wide} pixels too wide`);
      await page.screenshot({ path: join(plan.pictures, `${name}.${look.name}.png`), fullPage: true });
      // What is folded away is looked at, too.
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      for (const { id, impact, help, nodes } of violations) {
        const where = nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`).join("\n    ");
        const text = `${impact} ${id}, ${help} (${nodes.length})\n    ${where}`;
        if (impact === "serious" || impact === "critical") said(text);
        else console.log(`${name} (${look.name}): ${text}`);
      }
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(`${pages.length} pages, ${looks.length} looks, ${problems.length} problems`);
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
}
