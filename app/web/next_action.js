// @ts-check
// Owns the words that a suggestion puts into the composer: a sentence to read, change, and send or not.

/** @typedef {import("./wire.js").NextAction} NextAction */

/** Returns the sentence of a suggested call; nothing is called by it.
 * @param {NextAction} action */
export function wording(action) {
  const given = /** @type {Record<string, string>} */ (action.arguments ?? {});
  const { symbol, side, quantity, entry, stop, kind, level } = given;
  switch (action.tool) {
    case "propose_order": return `${side} ${quantity} ${symbol}${at(given)}`;
    case "size": return `plan ${symbol} ${side}, entry ${entry}, stop ${stop}, risk 1%`;
    case "plan_check": return `plan ${symbol} ${side ?? "long"}, entry ${entry}, stop ${stop ?? "3% below"}, risk 1%`;
    case "alert_set": return `alert me when ${symbol} is ${kind === "price_below" ? "below" : "above"} ${level}`;
    default: return action.text;
  }
}

/** @param {Record<string, string>} given */
function at(given) {
  const price = given.limit_price ? ` limit ${given.limit_price}` : given.stop_price ? ` stop order at ${given.stop_price}` : "";
  return given.tif && given.tif !== "day" ? `${price} ${given.tif}` : price;
}
