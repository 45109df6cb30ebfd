// Line charts on uPlot: lines over time, with the window and what happened; and distributions.
const { html, render, useState, useEffect, useRef } = htmPreact;
// Whole pixels: uPlot scales the digits before "px" to the screen's.
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
const PRINT_WIDTH = 322; // of a column of two, on A4

// A figure with its title, definition, and a drawing that follows width and theme.
function Plot({ title, meaning, aside, label, draw, height = 190, isWide = false, deps = [] }) {
  const place = useRef(null);
  useEffect(() => {
    const box = place.current;
    let drawn = null;
    let width = 0;
    const paint = () => {
      if (drawn) drawn.destroy();
      width = isPrinting ? PRINT_WIDTH * (isWide ? 2 : 1) : Math.floor(box.clientWidth);
      drawn = width > 0 ? draw(box, width, height) : null;
    };
    const watch = new ResizeObserver(() => {
      if (!isPrinting && Math.abs(box.clientWidth - width) > 1) paint();
    });
    paint();
    watch.observe(box);
    const stop = onPaint(paint);
    return () => {
      watch.disconnect();
      stop();
      if (drawn) drawn.destroy();
    };
  }, deps);
  return html`<figure class="card chart">
    <figcaption><h3>${title}</h3>${aside}</figcaption>
    ${meaning && html`<p class="def">${meaning}</p>`}
    <div class="plot" ref=${place} role="img" aria-label=${label || title}></div>
  </figure>`;
}

function axes(show, xShow, { isLog = false, isBytes = false } = {}) {
  const common = {
    stroke: color("muted"),
    font: FONT,
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...common,
      values: (u, at) => at.map(xShow),
      space: 64,
      size: 26,
      gap: 6,
      ...(isLog ? { splits: (u, axis, low, high) => splitLog(low, high, u.bbox.width / devicePixelRatio / 58), filter: (u, at) => at } : {}),
    },
    {
      ...common,
      values: (u, at) => at.map((each) => (each == null ? "" : show(each))),
      size: 62,
      gap: 6,
      space: 34,
      ...(isBytes ? { incrs: Array.from({ length: 40 }, (_, n) => 2 ** (n + 8)) } : {}),
    },
  ];
}

// What lies outside the window is shaded; what happened is a dashed line.
function surroundings(range, events) {
  const shade = (u) => {
    const { left, top, width, height } = u.bbox;
    u.ctx.save();
    u.ctx.fillStyle = color("shade");
    const at = (value) => Math.min(left + width, Math.max(left, u.valToPos(value, "x", true)));
    const [begin, end] = [at(range[0]), at(range[1])];
    u.ctx.fillRect(left, top, begin - left, height);
    u.ctx.fillRect(end, top, left + width - end, height);
    u.ctx.restore();
  };
  const mark = (u) => {
    const { left, top, width, height } = u.bbox;
    u.ctx.save();
    u.ctx.strokeStyle = u.ctx.fillStyle = color("c4");
    u.ctx.lineWidth = devicePixelRatio;
    for (const [at] of events) {
      const x = u.valToPos(at, "x", true);
      if (x < left || x > left + width) continue;
      u.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      u.ctx.beginPath();
      u.ctx.moveTo(x, top);
      u.ctx.lineTo(x, top + height);
      u.ctx.stroke();
      const size = 4 * devicePixelRatio;
      u.ctx.beginPath();
      u.ctx.moveTo(x - size, top);
      u.ctx.lineTo(x + size, top);
      u.ctx.lineTo(x, top + 1.5 * size);
      u.ctx.fill();
    }
    u.ctx.restore();
  };
  return { hooks: { drawClear: [shade], draw: [mark] } };
}

// Round numbers on a logarithmic scale: 1, 2, 5 of each power of ten, or fewer where there is no room.
function splitLog(low, high, most) {
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
      for (const factor of factors) if (factor * power >= low && factor * power <= high) found.push(factor * power);
    if (found.length <= Math.max(2, most) || factors.length === 1) return found;
  }
}

const LEGEND = { live: true, markers: { width: 0, fill: (u, n) => (n ? u.series[n].stroke() : "transparent") } };
const PADDING = [12, 26, 0, 0];

// Points without neighbours: no line is drawn to them, so they are drawn themselves.
function alone(u, n, show, gaps) {
  const column = u.data[n];
  return column.map((_, at) => at).filter((at) => column[at] != null && column[at - 1] == null && column[at + 1] == null);
}

function line({ label, ink, dash, fill, step, show }) {
  const stroke = color(ink);
  return {
    label,
    stroke,
    width: 1.6,
    dash: dash ? [5, 4] : undefined,
    fill: fill ? stroke + "1f" : undefined,
    paths: step ? uPlot.paths.stepped({ align: 1 }) : undefined,
    points: { show: true, size: 4, width: 0, fill: stroke, filter: alone },
    spanGaps: false,
    value: (u, value) => show(value),
  };
}

// Lines over the time of the run; `lines` have `column`, `label`, `ink`.
function TimeChart({ run, title, meaning, lines, show, top, at, isBytes }) {
  const { series, events } = run;
  const moments = at || series.at;
  const drawn = lines.filter(({ column }) => (column || []).some((value) => value != null));
  if (!drawn.length) return null;
  const last = series.at[series.at.length - 1] + series.moment_s;
  const draw = (box, width, height) =>
    new uPlot(
      {
        width,
        height,
        legend: LEGEND,
        padding: PADDING,
        cursor: { sync: { key: "time" }, drag: { x: true, y: false }, points: { size: 6 } },
        scales: {
          x: { time: false, range: (u, low, high) => (low > moments[0] || high < moments[moments.length - 1] ? [low, high] : [0, last]) },
          y: { range: (u, low, high) => [0, Math.max(top || 0, high > 0 ? high * 1.08 : 1)] },
        },
        axes: axes(show, showAt, { isBytes }),
        series: [{ label: "at", value: (u, value) => showAt(value) }, ...drawn.map((each) => line({ ...each, show }))],
        plugins: [surroundings(series.window, events)],
      },
      [moments, ...drawn.map(({ column }) => column)],
      box,
    );
  const greatest = drawn
    .map(({ column, label }) => `${label} at most ${show(Math.max(...column.filter((each) => each != null)))}`)
    .join(", ");
  return html`<${Plot} title=${title} meaning=${meaning} draw=${draw} deps=${[run]} label=${`${title} over time: ${greatest}`} />`;
}

// One or several distributions: share of requests over latency, which is on a logarithmic scale.
function CdfChart({ title, meaning, curves, id, limit }) {
  const [isLog, setLog] = useState(true);
  const xs = [...new Set(curves.flatMap(({ cdf }) => cdf.x))].sort((a, b) => a - b);
  const columns = curves.map(({ cdf }) => {
    const shares = new Map(cdf.x.map((x, n) => [x, cdf.share[n]]));
    const end = cdf.x[cdf.x.length - 1];
    return xs.map((x) => shares.get(x) ?? (x > end ? 1 : undefined));
  });
  const marks = curves.length === 1 ? Object.entries(curves[0].cdf.marks) : [];
  const draw = (box, width, height) =>
    new uPlot(
      {
        width,
        height,
        legend: LEGEND,
        padding: PADDING,
        cursor: { drag: { x: true, y: false }, points: { size: 6 } },
        scales: {
          x: { time: false, distr: isLog ? 3 : 1, range: (u, low, high) => (isLog ? spanLog(low, high) : [Math.min(low, 0), high]) },
          y: { range: [0, 1.02] },
        },
        axes: axes(showShare, (value) => (value == null ? "" : showS(value)), { isLog }),
        series: [
          { label: "within", value: (u, value) => showS(value) },
          ...curves.map(({ label, ink }, n) => ({
            ...line({ label, ink, show: showShare, fill: curves.length === 1 }),
            points: { show: false },
            spanGaps: true,
          })),
        ],
        plugins: [{ hooks: { draw: [(u) => markPercentiles(u, marks, limit)] } }],
      },
      [xs, ...columns],
      box,
    );
  const aside = html`<button class="small-button choice" aria-pressed=${isLog} onClick=${() => setLog(!isLog)}>log</button>`;
  const told = marks.map(([name, value]) => `${name} ${showS(value)}`).join(", ");
  return html`<${Plot} title=${title} meaning=${meaning} aside=${aside} draw=${draw} deps=${[isLog, id]}
    label=${`Distribution of ${title}. ${told}`} />`;
}

// At least a factor of four, so that equal times are not stretched over the whole chart.
function spanLog(low, high) {
  const middle = Math.sqrt(low * high);
  return high / low >= 4 ? [low * 0.95, high * 1.05] : [middle / 2, middle * 2];
}

// Above a curve that rises to the right there is room on the left of a point, and below it on the
// right: so the median and p95 stand there, and p99 below.
const NAMED = { p50: [-7, -5], p95: [-7, -5], p99: [0, 26] };

function markPercentiles(u, marks, limit) {
  const { left, top, width, height } = u.bbox;
  const ratio = devicePixelRatio;
  const isInside = (x) => x >= left && x <= left + width;
  u.ctx.save();
  u.ctx.font = FONT.replace("12px", 12 * ratio + "px");
  u.ctx.lineWidth = 3 * ratio;
  u.ctx.lineJoin = "round";
  const write = (text, x, y) => {
    const wide = u.ctx.measureText(text).width;
    u.ctx.textAlign = "left";
    const from = Math.max(left + 3 * ratio, Math.min(x - wide, left + width - wide));
    u.ctx.strokeStyle = color("card");
    u.ctx.strokeText(text, from, y);
    u.ctx.fillText(text, from, y);
  };
  if (limit != null && isInside(u.valToPos(limit, "x", true))) {
    const x = u.valToPos(limit, "x", true);
    u.ctx.fillStyle = color("c7");
    for (let y = top; y < top + height; y += 8 * ratio) u.ctx.fillRect(x, y, 1.4 * ratio, 4 * ratio);
    write(`limit ${showS(limit)}`, x - 5 * ratio, top + height - 6 * ratio);
  }
  for (const [name, value] of marks) {
    const x = u.valToPos(value, "x", true);
    const y = u.valToPos(Number(name.slice(1)) / 100, "y", true);
    if (!NAMED[name] || !isInside(x)) continue;
    u.ctx.fillStyle = color("c1");
    u.ctx.beginPath();
    u.ctx.arc(x, y, 3.2 * ratio, 0, 7);
    u.ctx.fill();
    const [right, down] = NAMED[name];
    u.ctx.fillStyle = color("ink");
    write(`${name} ${showS(value)}`, x + right * ratio, y + down * ratio);
  }
  u.ctx.restore();
}
