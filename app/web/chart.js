// @ts-check
// Owns the element `cornerman-chart`: candles of the shown symbol, price lines, fills.
import { html, nothing } from "./vendor/lit.js";
import { CandlestickSeries, createChart, createSeriesMarkers, CrosshairMode, LineStyle } from "./vendor/lightweight-charts.js";
import { Live } from "./element.js";
import { decimal, quantity, sessionDate, stamp, wallSeconds } from "./format.js";
import { showTimeframe } from "./refresh.js";
import { state } from "./state.js";

const FRAMES = ["1d", "5m", "1m"];
const SHOWN_BARS = 90;
const FADE = "66";
/** @typedef {import("./wire.js").Level} Level */

class CornermanChart extends Live {
  static uses = ["history", "historyProblem", "timeframe", "symbol", "portfolio", "orders", "fills", "plan", "terms", "theme"];
  /** @type {import("lightweight-charts").IChartApi | null} */ #chart = null;
  /** @type {import("lightweight-charts").ISeriesApi<"Candlestick"> | null} */ #series = null;
  /** @type {import("lightweight-charts").ISeriesMarkersPluginApi<any> | null} */ #marks = null;
  /** @type {import("lightweight-charts").IPriceLine[]} */ #lines = [];
  #shown = "";
  #drawn = "";
  #scheme = matchMedia("(prefers-color-scheme: dark)");

  render() {
    const history = state.history;
    const last = history?.bars.at(-1);
    const said = history && last ? `${history.symbol}, ${history.bars.length} bars of ${history.timeframe}, last close ${last.c}, as of ${stamp(history.as_of)}` : "Chart loading";
    return html`<section class="chart" aria-label="Chart">
      <div class="frames" role="radiogroup" aria-label="Bar length" @keydown=${this.#arrow}>
        ${FRAMES.map((frame) => html`<button role="radio" aria-checked=${frame === state.timeframe}
          tabindex=${frame === state.timeframe ? 0 : -1} @click=${() => showTimeframe(frame)}>${frame}</button>`)}
        <span class="legend">${this.#levels().map((level) => html`<span class=${level.tone}>${level.title}</span>`)}</span>
        <span class="push"></span>
        ${history ? this.#labels(history) : nothing}
      </div>
      <div class="plot" role="img" aria-label=${said}></div>
      ${state.historyProblem && !history ? html`<p class="problem over">${state.historyProblem.message}. ${state.historyProblem.hint}</p>` : nothing}
      <p class="credit">Chart by <a href="https://www.tradingview.com/" target="_blank" rel="noopener noreferrer">TradingView</a>
        Lightweight Charts. ${last && !last.complete ? "The last bar is still forming." : ""}</p>
    </section>`;
  }

  /** The closed bars' label, and the forming bar's own where it differs.
   * @param {import("./wire.js").History} history */
  #labels(history) {
    const set = `bars ${history.timeframe}`;
    const mixed = history.closed_provenance !== history.provenance;
    return html`<span class="labels"><cornerman-source .provenance=${history.closed_provenance} .provider=${history.source}
        .set=${mixed ? `${set}, closed` : set} .asof=${history.as_of}></cornerman-source>
      ${mixed ? html`<span class="muted small">forming</span><cornerman-source .provenance=${history.provenance} .provider=${history.source}
        .set=${`${set}, the forming one`} .asof=${history.as_of}></cornerman-source>` : nothing}</span>`;
  }

  /** @param {KeyboardEvent} event */
  #arrow(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = FRAMES[(FRAMES.indexOf(state.timeframe) + by + FRAMES.length) % FRAMES.length];
    void showTimeframe(next);
    /** @type {HTMLElement} */ (this.querySelectorAll("[role=radio]")[FRAMES.indexOf(next)]).focus();
  }

  firstUpdated() {
    const box = /** @type {HTMLElement} */ (this.querySelector(".plot"));
    this.#chart = createChart(box, {
      autoSize: true, crosshair: { mode: CrosshairMode.Normal },
      layout: { attributionLogo: false, fontFamily: "ui-sans-serif, system-ui, sans-serif", fontSize: 11 },
      timeScale: { rightOffset: 8, borderVisible: false },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.08, bottom: 0.08 } },
      localization: { priceFormatter: (/** @type {number} */ price) => decimal(String(price.toFixed(2))) },
    });
    this.#series = this.#chart.addSeries(CandlestickSeries, { priceLineVisible: false });
    this.#marks = createSeriesMarkers(this.#series, []);
    this.#scheme.addEventListener("change", this.#repaint);
    this.#draw();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#scheme.removeEventListener("change", this.#repaint);
    this.#chart?.remove();
  }

  #repaint = () => { this.#drawn = ""; this.#draw(); };

  updated() {
    this.#draw();
  }

  /** @param {string} name */
  #colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  /** @param {string} iso */
  #time(iso) {
    return /** @type {any} */ (state.timeframe === "1d" ? sessionDate(iso) : wallSeconds(iso));
  }

  #draw() {
    const history = state.history;
    if (!this.#series || !this.#chart) return;
    const last = history?.bars.at(-1);
    const print = JSON.stringify([history?.symbol, history?.timeframe, last, history?.bars[0]?.t, this.#levels(),
      state.fills.length, document.documentElement.dataset.theme, this.#scheme.matches]);
    if (print === this.#drawn) return;
    this.#drawn = print;
    this.#paint();
    const gain = this.#colour("gain"), loss = this.#colour("loss");
    this.#series.setData((history?.bars ?? []).map((bar) => {
      const colour = (Number(bar.c) >= Number(bar.o) ? gain : loss) + (bar.complete ? "" : FADE);
      return { time: this.#time(bar.t), open: Number(bar.o), high: Number(bar.h), low: Number(bar.l), close: Number(bar.c),
        color: colour, wickColor: colour, borderColor: colour };
    }));
    this.#drawLines();
    this.#drawFills();
    const shown = `${history?.symbol} ${history?.timeframe}`;
    if (history && shown !== this.#shown) {
      this.#shown = shown;
      this.#chart.timeScale().setVisibleLogicalRange({ from: history.bars.length - SHOWN_BARS, to: history.bars.length + 8 });
    }
  }

  #paint() {
    const line = this.#colour("line-soft");
    this.#chart?.applyOptions({
      layout: { background: { color: "transparent" }, textColor: this.#colour("muted") },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      timeScale: { timeVisible: state.timeframe !== "1d", secondsVisible: false },
    });
  }

  #drawLines() {
    this.#lines.forEach((line) => this.#series?.removePriceLine(line));
    this.#lines = this.#levels().map((level) => /** @type {any} */ (this.#series).createPriceLine({
      price: level.price, title: level.title, color: this.#colour(level.tone), lineWidth: 1,
      lineStyle: level.tone === "held" ? LineStyle.Solid : LineStyle.Dashed, axisLabelVisible: true,
    }));
  }

  #drawFills() {
    const first = state.history?.bars[0]?.t ?? "";
    const fills = state.fills.filter((fill) => fill.symbol === state.symbol && fill.at >= first);
    this.#marks?.setMarkers([...fills].reverse().map((fill) => ({
      time: this.#time(this.#barOf(fill.at)), position: fill.side === "buy" ? "belowBar" : "aboveBar",
      shape: fill.side === "buy" ? "arrowUp" : "arrowDown", color: this.#colour("accent"),
      text: quantity(fill.quantity),
    })));
  }

  /** Returns the opening time of the bar that holds an instant.
   * @param {string} at */
  #barOf(at) {
    const bars = state.history?.bars ?? [];
    return bars.findLast((bar) => bar.t <= at)?.t ?? at;
  }

  /** The lines: the plan or the open card, working orders, and what is held. @returns {Level[]} */
  #levels() {
    const symbol = state.symbol;
    /** @type {Level[]} */ const levels = [];
    const put = (/** @type {string | null | undefined} */ price, /** @type {string} */ title, /** @type {Level["tone"]} */ tone) => {
      if (price && !levels.some((level) => level.price === Number(price) && level.tone === tone)) levels.push({ price: Number(price), title, tone });
    };
    const held = state.portfolio?.valuation.holdings.find((one) => one.symbol === symbol);
    if (held) put(held.average_cost, "held", "held");
    if (state.terms?.symbol === symbol) {
      put(state.terms.limit_price ?? state.terms.stop_price, "card", "entry");
      put(state.terms.protective_stop ?? state.terms.stop_loss, "stop", "stop");
      put(state.terms.take_profit, "target", "target");
    }
    for (const order of (state.orders ?? []).filter((one) => one.symbol === symbol)) {
      if (order.is_open && order.order_class === "oco") { put(order.limit_price, "target", "target"); put(order.stop_loss, "stop", "stop"); }
      else if (order.is_open) put(order.limit_price ?? order.stop_price, order.type, "entry");
      else if (held && order.side === "buy") put(order.protective_stop, "stop", "stop");
    }
    if (state.plan?.symbol === symbol) {
      if (!held) put(state.plan.entry, "entry", "entry");
      put(state.plan.stop, "stop", "stop");
      state.plan.targets.forEach((price, at) => put(price, `target ${at + 1}`, "target"));
    }
    return levels;
  }
}

customElements.define("cornerman-chart", CornermanChart);
