// Latency over throughput, a point per run: drawn as SVG, so that points can be reached by keyboard.
const TONES = { good: "good", bad: "c7", doubt: "c2", note: "c1" };
const LETTER = 6.6; // pixels of a label's letter, about

function Curve({ curve, onPick, figures }) {
  const known = Object.keys(curve.points[0].y).filter((name) => curve.points.some((point) => point.y[name] != null));
  const [named, setNamed] = useState(() => firstKnown(curve.points, known));
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const measure = () => setWidth(isPrinting ? 2 * PRINT_WIDTH : Math.floor(box.current.clientWidth));
    const watch = new ResizeObserver(measure);
    measure();
    watch.observe(box.current);
    const stop = onPaint(measure);
    return () => (watch.disconnect(), stop());
  }, []);
  const points = curve.points.filter((point) => point.y[named] != null).map((point) => ({ ...point, y: point.y[named] }));
  const missing = curve.points.length - points.length;
  const aside = html`<span class="choice" role="group" aria-label="Latency shown">
    ${known.map((name) => html`<button class="small-button" aria-pressed=${name === named} onClick=${() => setNamed(name)}>${name}</button>`)}
  </span>`;
  const less = missing ? ` Of ${missing} ${missing === 1 ? "run" : "runs"} too few requests were answered for ${named}.` : "";
  return html`<figure class="card chart">
    <figcaption><h3>${named || "Latency"} over throughput</h3>${aside}</figcaption>
    <p class="def">A point for each run: requests answered per second, and the latency at that. ${curve.is_line ? figures.knee[1] : ""} The label is the load; choose a point to see its run.${less}</p>
    <div class="plot" ref=${box}>${width > 0 && points.length > 0 && drawCurve({ ...curve, points }, named, width, onPick)}</div>
  </figure>`;
}

// The first one that two thirds of the runs have; else the one that most of them have.
function firstKnown(points, names) {
  const share = (name) => points.filter((point) => point.y[name] != null).length / points.length;
  return names.find((name) => share(name) >= 2 / 3) || names.reduce((best, name) => (share(name) > share(best) ? name : best), names[0]);
}

function drawCurve({ points, limits, is_line }, named, width, onPick) {
  const height = Math.max(260, Math.min(400, width * 0.42));
  const [left, right, top, bottom] = [64, 26, 22, 44];
  const [least, most] = [Math.min(...points.map((p) => p.y)), Math.max(...points.map((p) => p.y))];
  const limit = limits[named];
  const isLog = most / least > 30;
  const xMost = Math.max(...points.map((p) => p.x)) * 1.08 || 1;
  const yLeast = isLog ? Math.min(least, limit || Infinity) * 0.7 : 0;
  const yMost = Math.max(most * (isLog ? 1.5 : 1.1), limit < 2 * most ? limit * 1.1 : 0) || 1;
  const x = (value) => left + (value / xMost) * (width - left - right);
  const share = (value) => (isLog ? Math.log(value / yLeast) / Math.log(yMost / yLeast) : value / yMost);
  const y = (value) => height - bottom - share(value) * (height - top - bottom);
  const yTicks = isLog ? splitLog(yLeast, yMost, 9) : ticks(0, yMost, 5);
  const path = points.map((p, n) => `${n ? "L" : "M"}${x(p.x).toFixed(1)},${y(p.y).toFixed(1)}`).join("");
  const labels = placeLabels(points.map((p) => ({ ...p, x: x(p.x), y: y(p.y) })), width);
  return html`<svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label=${`${named} over requests per second, ${points.length} ${points.length === 1 ? "run" : "runs"}`}>
    ${yTicks.map((v) => html`<g><line x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} stroke="var(--grid)" /><text x=${left - 9} y=${y(v) + 4} text-anchor="end">${showS(v)}</text></g>`)}
    ${ticks(0, xMost, Math.max(3, width / 130)).map((v) => html`<text x=${x(v)} y=${height - bottom + 18} text-anchor="middle">${digits(v)}</text>`)}
    <text x=${(left + width - right) / 2} y=${height - 6} text-anchor="middle">requests answered per second</text>
    ${limit >= yLeast && limit <= yMost && html`<g><line x1=${left} x2=${width - right} y1=${y(limit)} y2=${y(limit)} stroke="var(--c7)" stroke-dasharray="6 4" stroke-width="1.4" /><text x=${left + 6} y=${y(limit) - 6}>limit ${showS(limit)}</text></g>`}
    ${is_line && html`<path d=${path} fill="none" stroke="var(--c1)" stroke-width="2" stroke-linejoin="round" />`}
    ${points.map((p, n) => drawPoint(p, x(p.x), y(p.y), labels[n], `${p.label}: ${digits(p.x)} requests/s, ${named} ${showS(p.y)}`, onPick))}
  </svg>`;
}

// Each label where it covers neither a point nor another label; left out where there is no such place.
function placeLabels(points, width) {
  const taken = points.map(({ x, y }) => [x - 7, y - 7, x + 7, y + 7]);
  return points.map(({ x, y, label, is_knee }) => {
    const text = (width < 500 ? label.replace(/ .*/, "") : label) + (is_knee ? " (knee)" : "");
    const wide = text.length * LETTER;
    const places = [[x + 11, y + 16], [x - 11 - wide, y - 8], [x + 11, y - 8], [x - 11 - wide, y + 16], [x - wide / 2, y - 15], [x - wide / 2, y + 24]];
    for (const [from, base] of places) {
      const area = [from, base - 11, from + wide, base + 3];
      const isFree = from > 0 && from + wide < width && !taken.some((other) => area[0] < other[2] && other[0] < area[2] && area[1] < other[3] && other[1] < area[3]);
      if (!isFree) continue;
      taken.push(area);
      return { text, x: from, y: base };
    }
    return null;
  });
}

function drawPoint(point, x, y, label, told, onPick) {
  const ink = `var(--${TONES[point.tone]})`;
  const pick = () => onPick(point.run);
  const onKey = (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), pick());
  return html`<g role="button" tabindex="0" aria-label=${told} onClick=${pick} onKeyDown=${onKey} cursor="pointer">
    <title>${told}</title>
    ${point.is_knee && html`<circle cx=${x} cy=${y} r="11" fill="none" stroke=${ink} stroke-width="2" />`}
    <circle cx=${x} cy=${y} r="5.5" fill=${ink} stroke="var(--card)" stroke-width="1.5" />
    ${label && html`<text x=${label.x} y=${label.y} class=${point.is_knee ? "strong" : ""}>${label.text}</text>`}
  </g>`;
}
