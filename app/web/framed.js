// @ts-check
// Owns what a framed page hears from the page around it: a text for the composer, never an action.
import { FRAMED } from "./element.js";

const VERSION = 1;
const TEXT_MAX = 2000;

if (FRAMED) {
  const host = location.ancestorOrigins?.[0] ?? (document.referrer ? new URL(document.referrer).origin : "");
  window.addEventListener("message", (event) => {
    if (!host || event.origin !== host || event.source !== window.parent) return;
    if (event.data?.cornerman !== VERSION || event.data.type !== "suggest") return;
    const box = document.querySelector("textarea");
    if (box && typeof event.data.text === "string") box.value = event.data.text.slice(0, TEXT_MAX);
  });
  if (host) window.parent.postMessage({ cornerman: VERSION, type: "ready" }, host);
}
