// Bundles each library once into vendor/*.js (ES modules) and writes the licences beside them.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const ENTRIES = {
  lit: [
    'export { LitElement, html, svg, nothing } from "lit";',
    'export { classMap } from "lit/directives/class-map.js";',
    'export { repeat } from "lit/directives/repeat.js";',
    'export { live } from "lit/directives/live.js";',
    'export { ref, createRef } from "lit/directives/ref.js";',
  ].join("\n"),
  "lightweight-charts": 'export * from "lightweight-charts";',
  marked: 'export { lexer } from "marked";',
};
const SHIPPED = ["lit", "lit-html", "lit-element", "@lit/reactive-element", "lightweight-charts",
  "fancy-canvas", "marked"];

rmSync("vendor", { recursive: true, force: true });
mkdirSync("vendor");
for (const [name, contents] of Object.entries(ENTRIES)) {
  await build({
    stdin: { contents, resolveDir: ".", sourcefile: `${name}.entry.js` },
    outfile: `vendor/${name}.js`,
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "warning",
  });
  const types = name === "lit" ? '\nexport type { TemplateResult } from "lit";' : "";
  writeFileSync(`vendor/${name}.d.ts`, `${contents}${types}\n`);
}
writeFileSync("vendor/LICENSES", SHIPPED.map(licence).join("\n\n"));

/** Returns a library's name, version and licence text. */
function licence(name) {
  const folder = `node_modules/${name}`;
  const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const files = readdirSync(folder).filter((file) => /^(licen[sc]e|notice)/i.test(file)).sort();
  const texts = files.map((file) => readFileSync(`${folder}/${file}`, "utf8").trim());
  const body = texts.length ? texts.join("\n\n") : "(the package carries no licence file)";
  return `${name} ${about.version} (${about.license})\n${"=".repeat(60)}\n${body}`;
}
