// @ts-check
// Owns how a reply's Markdown becomes templates: lexer tokens in, escaped text out, no markup passes.
import { html } from "./vendor/lit.js";
import { lexer } from "./vendor/marked.js";
import { sourced } from "./figures.js";

/** @typedef {import("./events.js").Mark} Mark */
/** @typedef {{type: string, raw: string, text?: string, tokens?: any[], items?: any[], depth?: number,
 *   ordered?: boolean, start?: number | "", href?: string, header?: any[], rows?: any[][],
 *   align?: (string | null)[]}} Token */

/** @type {Record<Mark["kind"], string>} */
const SAID = {
  unverified: "Not verified: no tool result holds this number.",
  replaced: "Corrected: this sentence shows the recorded state.",
};

/** Who knows where a number of the text that is drawn now comes from. @type {import("./figures.js").Find | null} */
let find = null;

/** Draws Markdown with its marks; numbers open their source. Too deeply nested text is drawn plain.
 * @param {string} text @param {Mark[]} [marks] @param {import("./figures.js").Find | null} [sources] */
export function markdown(text, marks = [], sources = null) {
  find = sources;
  try {
    return blocks(/** @type {any} */ (lexer(text, { gfm: true })), marks);
  } catch (error) {
    if (error instanceof RangeError) return html`<p>${text}</p>`;
    throw error;
  }
}

/** @param {Token[]} tokens @param {Mark[]} marks @returns {unknown[]} */
function blocks(tokens, marks) {
  return tokens.map((token) => block(token, marks));
}

/** @param {Token} token @param {Mark[]} marks @returns {unknown} */
function block(token, marks) {
  switch (token.type) {
    case "space": return "";
    case "paragraph": return html`<p>${inline(token.tokens, marks)}</p>`;
    case "heading": return html`<p class="heading">${inline(token.tokens, marks)}</p>`;
    case "code": return html`<pre tabindex="0"><code>${token.text}</code></pre>`;
    case "blockquote": return html`<blockquote>${blocks(token.tokens ?? [], marks)}</blockquote>`;
    case "hr": return html`<hr>`;
    case "list": return list(token, marks);
    case "table": return table(token, marks);
    case "text": return token.tokens ? inline(token.tokens, marks) : marked(token.text ?? "", marks);
    default: return marked(token.raw, marks);
  }
}

/** @param {Token} token @param {Mark[]} marks */
function list(token, marks) {
  const items = (token.items ?? []).map((item) => html`<li>${blocks(item.tokens, marks)}</li>`);
  return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
}

/** @param {Token} token @param {Mark[]} marks */
function table(token, marks) {
  const side = (/** @type {number} */ at) => (token.align?.[at] === "right" ? "number" : "");
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table"><table><thead><tr>
    ${(token.header ?? []).map((cell, at) => html`<th scope="col" class=${side(at)}>${inline(cell.tokens, marks)}</th>`)}
    </tr></thead><tbody>${(token.rows ?? []).map((row) => html`<tr>
      ${row.map((cell, at) => html`<td class=${side(at)}>${inline(cell.tokens, marks)}</td>`)}</tr>`)}
    </tbody></table></div>`;
}

/** @param {Token[] | undefined} tokens @param {Mark[]} marks @returns {unknown[]} */
function inline(tokens, marks) {
  return (tokens ?? []).map((token) => {
    switch (token.type) {
      case "strong": return html`<strong>${inline(token.tokens, marks)}</strong>`;
      case "em": return html`<em>${inline(token.tokens, marks)}</em>`;
      case "del": return html`<del>${inline(token.tokens, marks)}</del>`;
      case "codespan": return html`<code>${token.text}</code>`;
      case "br": return html`<br>`;
      case "link": return token.text === token.href ? token.href : `${token.text} (${token.href})`;
      case "image": return `[image: ${token.text}]`;
      case "escape": return token.text;
      case "text": return token.tokens ? inline(token.tokens, marks) : marked(token.text ?? "", marks);
      default: return marked(token.raw, marks);
    }
  });
}

/** Splits plain text at the marked passages.
 * @param {string} text @param {Mark[]} marks @returns {unknown} */
function marked(text, marks) {
  const mark = marks.find((one) => one.text && place(text, one.text) >= 0);
  if (!mark) return find ? sourced(text, find) : text;
  const at = place(text, mark.text);
  const rest = marks.filter((one) => one !== mark);
  return [marked(text.slice(0, at), rest),
    html`<mark class=${mark.kind} title=${SAID[mark.kind]}>${mark.text}<span class="sr"> (${SAID[mark.kind]})</span></mark>`,
    marked(text.slice(at + mark.text.length), marks)];
}

/** Returns where a passage stands by itself, never as a part of a longer number; -1 when nowhere.
 * @param {string} text @param {string} wanted */
function place(text, wanted) {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const before = text.slice(Math.max(0, at - 2), at);
    const after = text.slice(at + wanted.length, at + wanted.length + 2);
    if (!/[0-9][.,]?$/.test(before) && !/^[.,]?[0-9]/.test(after)) return at;
  }
  return -1;
}
